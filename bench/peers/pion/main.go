// pion - what bench-data measures, measured in pion/webrtc: both peers in this process over loopback, one reliable
// ordered channel, host candidates that trickle by call. Prints the same JSON lines.
//
//	pion throughput MESSAGE_BYTES SECONDS RUNS
//	pion setup N
//	pion rss PAIRS
//	pion idle PAIRS SECONDS
package main

import (
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/webrtc/v3"
)

const (
	highWater = 1 << 20
	lowWater  = 1 << 18
	maxSize   = 65535 // this version cannot receive 65536 bytes in one message
)

var api *webrtc.API

type side struct {
	pc      *webrtc.PeerConnection
	channel *webrtc.DataChannel
	mutex   sync.Mutex
	ready   bool // the remote description is there, so candidates may come
	early   []webrtc.ICECandidateInit
}

type pair struct {
	a, b        side
	open        sync.WaitGroup
	bytes       int64
	fromOfferMs float64
}

func check(err error) {
	if err != nil {
		log.Fatalf("pion: %v", err)
	}
}

func cpu() float64 {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

// The collector's slack is not the stack's memory: it is handed back before each reading.
func rssKiB() int64 {
	debug.FreeOSMemory()
	var size, resident int64
	f, err := os.Open("/proc/self/statm")
	check(err)
	defer f.Close()
	_, err = fmt.Fscan(f, &size, &resident)
	check(err)
	return resident * int64(os.Getpagesize()) / 1024
}

func (s *side) addCandidate(c webrtc.ICECandidateInit) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.ready {
		s.early = append(s.early, c)
		return
	}
	check(s.pc.AddICECandidate(c))
}

func (s *side) setRemote(d webrtc.SessionDescription) {
	check(s.pc.SetRemoteDescription(d))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ready = true
	for _, c := range s.early {
		check(s.pc.AddICECandidate(c))
	}
	s.early = nil
}

func newSide(s, other *side) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	check(err)
	s.pc = pc
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			other.addCandidate(c.ToJSON())
		}
	})
}

func openPair() *pair {
	p := &pair{}
	p.open.Add(2)
	newSide(&p.a, &p.b)
	newSide(&p.b, &p.a)
	channel, err := p.a.pc.CreateDataChannel("bench", nil)
	check(err)
	p.a.channel = channel
	channel.OnOpen(p.open.Done)
	p.b.pc.OnDataChannel(func(c *webrtc.DataChannel) {
		p.b.channel = c
		c.OnMessage(func(m webrtc.DataChannelMessage) { atomic.AddInt64(&p.bytes, int64(len(m.Data))) })
		c.OnOpen(p.open.Done)
	})
	began := time.Now()
	offer, err := p.a.pc.CreateOffer(nil)
	check(err)
	check(p.a.pc.SetLocalDescription(offer))
	p.b.setRemote(offer)
	answer, err := p.b.pc.CreateAnswer(nil)
	check(err)
	check(p.b.pc.SetLocalDescription(answer))
	p.a.setRemote(answer)
	p.open.Wait()
	p.fromOfferMs = time.Since(began).Seconds() * 1e3
	return p
}

func (p *pair) close() {
	check(p.a.pc.Close())
	check(p.b.pc.Close())
}

func throughput(size int, seconds float64) {
	if size > maxSize {
		size = maxSize
	}
	p := openPair()
	message := make([]byte, size)
	low := make(chan struct{}, 1)
	p.a.channel.SetBufferedAmountLowThreshold(lowWater)
	p.a.channel.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	wall, used := time.Now(), cpu()
	for time.Since(wall).Seconds() < seconds {
		for p.a.channel.BufferedAmount() < highWater {
			check(p.a.channel.Send(message))
		}
		select {
		case <-low:
		case <-time.After(100 * time.Millisecond):
		}
	}
	elapsed, bytes := time.Since(wall).Seconds(), float64(atomic.LoadInt64(&p.bytes))
	used = cpu() - used
	fmt.Printf("{\"bench\":\"throughput\",\"lib\":\"pion\",\"msg\":%d,\"mbit_s\":%.1f,\"cpu_s_per_GB\":%.2f}\n",
		size, bytes*8/1e6/elapsed, used/(bytes/1e9))
	p.close()
}

func setup(n int) {
	ms := make([]float64, n)
	all := cpu()
	for i := range ms {
		used := cpu()
		p := openPair()
		ms[i] = p.fromOfferMs
		fmt.Printf("{\"bench\":\"setup\",\"lib\":\"pion\",\"from_offer_ms\":%.3f,\"cpu_ms\":%.3f}\n",
			ms[i], (cpu()-used)*1e3)
		p.close()
	}
	all = cpu() - all
	sort.Float64s(ms)
	fmt.Printf("{\"bench\":\"setup-summary\",\"lib\":\"pion\",\"n\":%d,\"median_ms\":%.3f,\"p95_ms\":%.3f,"+
		"\"max_ms\":%.3f,\"cpu_ms_per_pair\":%.3f}\n", n, ms[n/2], ms[n*95/100], ms[n-1], all*1e3/float64(n))
}

func openMany(n int) []*pair {
	pairs := make([]*pair, n)
	for i := range pairs {
		pairs[i] = openPair()
	}
	return pairs
}

func rss(n int) {
	warm := openPair()
	before := rssKiB()
	pairs := openMany(n)
	time.Sleep(time.Second)
	fmt.Printf("{\"bench\":\"rss\",\"lib\":\"pion\",\"pairs\":%d,\"kib_per_pair\":%.1f}\n",
		n, float64(rssKiB()-before)/float64(n))
	for _, p := range append(pairs, warm) {
		p.close()
	}
}

func idle(n int, seconds float64) {
	pairs := openMany(n)
	time.Sleep(time.Second)
	used := cpu()
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	fmt.Printf("{\"bench\":\"idle\",\"lib\":\"pion\",\"pairs\":%d,\"cpu_ms_per_s\":%.3f}\n",
		n, (cpu()-used)*1e3/seconds)
	for _, p := range pairs {
		p.close()
	}
}

func number(i int) float64 {
	if i >= len(os.Args) {
		log.Fatal("usage: pion throughput MESSAGE_BYTES SECONDS RUNS | setup N | rss PAIRS | idle PAIRS SECONDS")
	}
	v, err := strconv.ParseFloat(os.Args[i], 64)
	check(err)
	return v
}

func main() {
	log.SetFlags(0)
	var e webrtc.SettingEngine
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetIncludeLoopbackCandidate(true)
	e.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	api = webrtc.NewAPI(webrtc.WithSettingEngine(e))
	if len(os.Args) < 2 {
		number(len(os.Args))
	}
	switch os.Args[1] {
	case "throughput":
		for i := 0; i < int(number(4)); i++ {
			throughput(int(number(2)), number(3))
		}
	case "setup":
		setup(int(number(2)))
	case "rss":
		rss(int(number(2)))
	case "idle":
		idle(int(number(2)), number(3))
	default:
		number(len(os.Args))
	}
}
