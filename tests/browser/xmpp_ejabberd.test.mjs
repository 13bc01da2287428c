// The same journeys of the page, at ejabberd.
process.env.XMPP_SERVER = 'ejabberd';
await import('./xmpp.test.mjs');
