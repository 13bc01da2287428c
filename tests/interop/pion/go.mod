module peerline-interop-pion

go 1.13

require github.com/pion/webrtc/v3 v3.1.56
