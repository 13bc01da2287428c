// pion as the other end of data channels: the orders of ../README.md in, what happens out, as JSON lines.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"
	"strings"
	"sync"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v3"
)

// An order, or a part of what a channel is made of.
type order struct {
	Type              string  `json:"type"`
	SDP               string  `json:"sdp"`
	Label             string  `json:"label"`
	Data              *string `json:"data"`
	Base64            string  `json:"base64"`
	Times             int     `json:"times"`
	Ordered           *bool   `json:"ordered"`
	MaxRetransmits    *uint16 `json:"maxRetransmits"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime"`
	Protocol          *string `json:"protocol"`
	Negotiated        *bool   `json:"negotiated"`
	ID                *uint16 `json:"id"`
}

type line map[string]interface{}

type peer struct {
	pc       *webrtc.PeerConnection
	mutex    sync.Mutex // of the two below
	out      *json.Encoder
	channels map[string]*webrtc.DataChannel
}

func check(err error) {
	if err != nil {
		log.Fatalf("pion: %v", err)
	}
}

func (p *peer) say(l line) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	check(p.out.Encode(l))
}

func (p *peer) find(label string) *webrtc.DataChannel {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.channels[label]
}

func (p *peer) tell(c *webrtc.DataChannel, state string) {
	l := line{"type": "channel", "label": c.Label(), "state": state, "protocol": c.Protocol(), "ordered": c.Ordered()}
	if c.ID() != nil {
		l["id"] = *c.ID()
	}
	if c.MaxRetransmits() != nil {
		l["maxRetransmits"] = *c.MaxRetransmits()
	}
	if c.MaxPacketLifeTime() != nil {
		l["maxPacketLifeTime"] = *c.MaxPacketLifeTime()
	}
	p.say(l)
}

func (p *peer) keep(c *webrtc.DataChannel) {
	p.mutex.Lock()
	p.channels[c.Label()] = c
	p.mutex.Unlock()
	c.OnOpen(func() { p.tell(c, "open") })
	c.OnClose(func() { p.tell(c, "closed") })
	c.OnBufferedAmountLow(func() { p.say(line{"type": "low", "label": c.Label()}) })
	c.OnMessage(func(m webrtc.DataChannelMessage) {
		hash := sha256.Sum256(m.Data)
		p.say(line{"type": "message", "label": c.Label(), "binary": !m.IsString, "size": len(m.Data),
			"sha256": hex.EncodeToString(hash[:])})
	})
}

// Says the description once all candidates are in it.
func (p *peer) describe(d webrtc.SessionDescription, err error) {
	check(err)
	gathered := webrtc.GatheringCompletePromise(p.pc)
	check(p.pc.SetLocalDescription(d))
	<-gathered
	p.say(line{"type": d.Type.String(), "sdp": p.pc.LocalDescription().SDP})
}

func (p *peer) takeDescription(o order) {
	if o.SDP != "" {
		check(p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.NewSDPType(o.Type), SDP: o.SDP}))
	}
	if o.Type == "offer" && o.SDP == "" {
		p.describe(p.pc.CreateOffer(nil))
	} else if o.Type == "offer" {
		p.describe(p.pc.CreateAnswer(nil))
	}
}

func (p *peer) send(c *webrtc.DataChannel, o order) error {
	if o.Times == 0 {
		o.Times = 1
	}
	if o.Data != nil {
		return c.SendText(strings.Repeat(*o.Data, o.Times))
	}
	data, err := base64.StdEncoding.DecodeString(o.Base64)
	check(err)
	return c.Send(bytes.Repeat(data, o.Times))
}

func (p *peer) take(o order) error {
	switch o.Type {
	case "offer", "answer":
		p.takeDescription(o)
		return nil
	case "open":
		c, err := p.pc.CreateDataChannel(o.Label, &webrtc.DataChannelInit{Ordered: o.Ordered, ID: o.ID,
			MaxRetransmits: o.MaxRetransmits, MaxPacketLifeTime: o.MaxPacketLifeTime, Protocol: o.Protocol,
			Negotiated: o.Negotiated})
		if err == nil {
			p.keep(c)
		}
		return err
	}
	c := p.find(o.Label)
	switch {
	case c == nil:
		p.say(line{"type": "error", "message": "no such channel"})
	case o.Type == "send":
		return p.send(c, o)
	case o.Type == "close":
		return c.Close()
	case o.Type == "amount":
		p.say(line{"type": "amount", "label": o.Label, "bytes": c.BufferedAmount()})
	}
	return nil
}

func main() {
	var e webrtc.SettingEngine
	said := logging.NewDefaultLoggerFactory()
	said.Writer = os.Stderr // standard output is for lines
	e.LoggerFactory = said
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e)).NewPeerConnection(webrtc.Configuration{})
	check(err)
	p := &peer{pc: pc, out: json.NewEncoder(os.Stdout), channels: map[string]*webrtc.DataChannel{}}
	pc.OnDataChannel(p.keep)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		p.say(line{"type": "connection", "state": s.String()})
	})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var o order
		check(json.Unmarshal(in.Bytes(), &o))
		if err := p.take(o); err != nil {
			p.say(line{"type": "error", "message": o.Type + ": " + err.Error()})
		}
	}
	check(in.Err())
	check(pc.Close())
}
