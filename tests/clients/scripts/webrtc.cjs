// A WebRTC peer, `webrtc.cjs answer | offer PORT`, with the package @roamhq/wrtc: three ordered data channels
// over which the offerer sends numbered messages, and the answerer sends them back. The peers find each other by
// lines of JSON over TCP, for which the answerer listens ("PORT n"). At its end each prints "RESULT json": for
// each channel how many messages came in order, or what came instead.
'use strict';
const net = require('node:net');
const { RTCPeerConnection } = require('@roamhq/wrtc');

const CHANNELS = 3;
const MESSAGES = 250;
const READY = 'ready'; // of the answerer: the package puts what came before it had a handler behind the rest

// Counts the messages of a channel while they are the next ones.
function counted(channel, onMessage) {
  const count = { next: 0 };
  channel.onmessage = ({ data }) => {
    if (data === READY)
      return onMessage(data, count);
    const { number } = JSON.parse(data);
    if (number === count.next)
      ++count.next;
    else
      count.wrong ??= { number, expected: count.next };
    onMessage(data, count);
  };
  return count;
}

const result = counts => console.log(`RESULT ${JSON.stringify(counts.map(count => count.wrong ?? count.next))}`);

function answer(peer, say) {
  const counts = [];
  peer.ondatachannel = ({ channel }) => {
    counts.push(counted(channel, data => channel.send(data)));
    channel.send(READY);
  };
  return async ({ offer, bye }) => {
    if (offer) {
      await peer.setRemoteDescription(offer);
      await peer.setLocalDescription(await peer.createAnswer());
      say({ answer: peer.localDescription });
    } else if (bye) {
      result(counts);
      process.exit();
    }
  };
}

function offer(peer, say) {
  let left = CHANNELS;
  const counts = Array.from({ length: CHANNELS }, (_, i) => {
    const channel = peer.createDataChannel(`channel ${i}`, { ordered: true });
    return counted(channel, (data, count) => {
      if (data === READY) {
        for (let number = 0; number < MESSAGES; ++number)
          channel.send(JSON.stringify({ number, filler: 'x'.repeat(100) }));
      } else if (count.next === MESSAGES && --left === 0) {
        result(counts);
        say({ bye: true });
        setTimeout(() => process.exit(), 200);
      }
    });
  });
  (async () => {
    await peer.setLocalDescription(await peer.createOffer());
    say({ offer: peer.localDescription });
  })();
  return async message => message.answer && peer.setRemoteDescription(message.answer);
}

function talk(role, socket) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const say = message => socket.write(`${JSON.stringify(message)}\n`);
  const onMessage = role(peer, say);
  peer.onicecandidate = ({ candidate }) => candidate && say({ candidate });
  let text = '';
  let turn = Promise.resolve();
  socket.on('error', () => {}).on('data', data => {
    const lines = (text + data).split('\n');
    text = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      turn = turn.then(() => message.candidate ? peer.addIceCandidate(message.candidate) : onMessage(message));
    }
  });
}

const [role, port] = process.argv.slice(2);
if (role === 'answer') {
  const server = net.createServer(socket => talk(answer, socket));
  server.listen(0, '127.0.0.1', () => console.log(`PORT ${server.address().port}`));
} else {
  const socket = net.connect(Number(port), '127.0.0.1', () => talk(offer, socket));
}
