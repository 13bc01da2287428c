// hash.js - a worker that hashes, so that the page stays quick. Messages: {run, bytes} adds, {run, ask} answers with
// {ask, hash}, {run, drop} forgets; {digits: [one, other], ask} answers with {ask, digits}.
import { digits, Sha256 } from './sha256.js';

const runs = new Map();

onmessage = ({ data }) => {
  if (data.digits) {
    postMessage({ ask: data.ask, digits: digits(...data.digits) });
    return;
  }
  if (!runs.has(data.run)) runs.set(data.run, new Sha256());
  if (data.bytes) runs.get(data.run).update(data.bytes);
  if (data.ask) postMessage({ ask: data.ask, hash: runs.get(data.run).digest() });
  if (data.drop) runs.delete(data.run);
};
