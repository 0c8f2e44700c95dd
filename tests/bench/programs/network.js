// What a Node.js program does with its network, for the benchmark: server and clients in one process,
// on the loopback. The same script runs on node.exe and on the machine's own node.
//
//     node network.js WORKLOAD [SAMPLES [MILLISECONDS]]
//
// prints, as bench.exe does,
//
//     sample workload=NAME unit=1/s iterations=N values=V,V,...
//
// where a value is the number of operations in a second, all of them checked. A wrong result ends the
// program with exit code 1 and no figure.
"use strict";

const http = require("node:http");
const net = require("node:net");

let done = 0; // operations that have been done and checked, by all clients

function fail(what) {
  console.error(`network.js: ${what}`);
  process.exit(1);
}

/// Calls `then` with the port once the server listens.
function listen(server, then) {
  server.on("error", (error) => fail(`the server: ${error}`));
  server.listen(0, "127.0.0.1", () => then(server.address().port));
}

/// Each client sends 64 bytes, and the next ones when they have come back.
function echo(connections) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", (error) => fail(`a socket of the server: ${error}`));
    socket.on("data", (data) => socket.write(data));
  });
  listen(server, (port) => {
    for (let i = 0; i < connections; ++i) talk(port, i * 2 ** 32);
  });
}

function talk(port, first) {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let number = first;
  let sent;
  let parts = [];
  let length = 0;
  const send = () => {
    sent = Buffer.alloc(64);
    for (let at = 0; at < 64; at += 8) sent.writeDoubleLE(number + at, at);
    ++number;
    socket.write(sent);
  };
  socket.on("error", (error) => fail(`a client: ${error}`));
  socket.on("connect", send);
  socket.on("data", (data) => {
    parts.push(data);
    length += data.length;
    if (length < 64) return;
    if (!Buffer.concat(parts).equals(sent)) fail("a wrong answer");
    parts = [];
    length = 0;
    ++done;
    send();
  });
}

/// Each client asks for a path, whose name is the answer, over a connection that stays.
function web(connections) {
  const server = http.createServer((request, answer) => answer.end(request.url));
  listen(server, (port) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
    for (let i = 0; i < connections; ++i) ask(port, agent, i * 2 ** 32);
  });
}

function ask(port, agent, number) {
  const path = `/number/${number}`;
  const request = http.get({ port, host: "127.0.0.1", path, agent }, (answer) => {
    let body = "";
    answer.setEncoding("latin1");
    answer.on("data", (text) => (body += text));
    answer.on("end", () => {
      if (answer.statusCode !== 200 || body !== path) fail(`${path} brought ${body}`);
      ++done;
      ask(port, agent, number + 1);
    });
  });
  request.on("error", (error) => fail(`a request: ${error}`));
}

const workloads = {
  node_http_32: () => web(32),
  node_echo_64: () => echo(64),
};

const [name, samples = "3", milliseconds = "500"] = process.argv.slice(2);
if (!workloads[name]) {
  console.error(`network.js: no workload "${name}"`);
  process.exit(2);
}
workloads[name]();

/// Until then much of what runs has not been compiled, and what is made on first use is made.
const WARM_UP = 2000; // milliseconds

const values = [];
let first;
let before;
let begun;

/// Ends a window, unless it is the warm-up, and begins the next.
function turn() {
  const now = process.hrtime.bigint();
  if (begun === undefined) first = done;
  else values.push(((done - before) * 1e9) / Number(now - begun));
  if (values.length < Number(samples)) {
    before = done;
    begun = process.hrtime.bigint();
    setTimeout(turn, Number(milliseconds));
    return;
  }
  const text = values.map((value) => value.toPrecision(6)).join(",");
  console.log(`sample workload=${name} unit=1/s iterations=${done - first} values=${text}`);
  process.exit(0);
}
setTimeout(turn, WARM_UP);
