// The programs that Node.js, Deno and Bun run: `suite.cjs CASE JSON`. A case prints "PORT n" when it
// listens, and at its end "RESULT json"; what is right or wrong about a result is judged by the caller.
'use strict';
const crypto = require('node:crypto');
const net = require('node:net');

// The same bytes as harness/payload.py makes.
function payload(name, length) {
  const block = Buffer.concat(Array.from({ length: 2048 }, (_, i) =>
    crypto.createHash('sha256').update(`${name}:${i}`).digest()));
  const data = Buffer.alloc(Math.ceil(length / 65536) * 65536);
  for (let at = 0, n = 0; at < data.length; at += 65536, n++) {
    block.copy(data, at);
    data.writeUInt32BE(n, at);
  }
  return data.subarray(0, length);
}

const digest = data => crypto.createHash('sha256').update(data).digest('hex');
const listening = server => new Promise((resolve, reject) =>
  server.on('error', reject).on('listening', () => resolve(server.address().port)));
const announce = port => console.log(`PORT ${port}`);

// Sends `data`, ends this side, and resolves to all that came back.
function exchange(port, host, data) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    net.connect({ port, host, allowHalfOpen: true }, function () { this.end(data); })
      .on('data', chunk => chunks.push(chunk))
      .on('end', () => resolve(Buffer.concat(chunks)))
      .on('error', reject);
  });
}

const echoServer = () => net.createServer({ allowHalfOpen: true }, socket => {
  socket.on('error', () => {});
  socket.pipe(socket);
});

const cases = {
  // Serves until GET /stop: payloads, and an echo of what is posted.
  async http_server() {
    const http = require('node:http');
    let requests = 0;
    const server = http.createServer((request, response) => {
      requests++;
      const [, verb, name, length] = request.url.split('/');
      if (verb === 'body')
        return response.end(payload(name, Number(length)));
      if (verb === 'echo')
        return request.pipe(response);
      response.end('bye');
      server.close();
      if (server.closeAllConnections)
        setImmediate(() => server.closeIdleConnections());
    });
    const closed = new Promise(resolve => server.on('close', resolve));
    server.listen(0, '127.0.0.1');
    announce(await listening(server));
    await closed;
    return requests;
  },

  async http_client({ port, bodies, upload }) {
    const http = require('node:http');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const fetch = (options, data) => new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port, agent, ...options }, response => {
        const chunks = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks)));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(data);
    });
    const digests = await Promise.all(bodies.map(async ([name, length]) =>
      digest(await fetch({ path: `/body/${name}/${length}` }))));
    const echoed = await fetch({ path: '/echo', method: 'POST' }, payload(...upload));
    agent.destroy();
    return { digests, echoed: digest(echoed) };
  },

  // Server and clients in one process.
  async tcp_parallel({ connections, length }) {
    const server = echoServer();
    server.listen(0, '127.0.0.1');
    const port = await listening(server);
    const digests = await Promise.all(Array.from({ length: connections }, async (_, i) =>
      digest(await exchange(port, '127.0.0.1', payload(`parallel${i}`, length)))));
    server.close();
    return digests;
  },

  async tcp_client({ port, host, connections, length }) {
    return Promise.all(Array.from({ length: connections }, async (_, i) =>
      digest(await exchange(port, host, payload(`client${i}`, length)))));
  },

  // Echoes `connections` connections, then ends.
  async tcp_server({ host, connections }) {
    const server = echoServer();
    let open = connections;
    const done = new Promise(resolve => server.on('connection', socket =>
      socket.on('close', () => --open || resolve())));
    server.listen(0, host);
    announce(await listening(server));
    await done;
    server.close();
    return connections;
  },

  // Reads in small sips, so that the sender meets a closed window again and again.
  async slow_reader({ port, length }) {
    return new Promise((resolve, reject) => {
      const hash = crypto.createHash('sha256');
      let total = 0;
      const socket = net.connect({ port, host: '127.0.0.1' });
      socket.on('data', chunk => {
        hash.update(chunk);
        total += chunk.length;
        socket.pause();
        setImmediate(() => socket.resume());
      });
      socket.on('end', () => resolve({ total, digest: hash.digest('hex') }));
      socket.on('error', reject);
    });
  },

  async udp({ port, sizes }) {
    const dgram = require('node:dgram');
    const socket = dgram.createSocket('udp4');
    await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve));
    const digests = [];
    for (let i = 0; i < sizes.length; i++) {
      const reply = new Promise((resolve, reject) => {
        socket.once('message', (message, from) => resolve([message, from]));
        socket.once('error', reject);
      });
      socket.send(payload(`datagram${i}`, sizes[i]), port, '127.0.0.1');
      const [message, from] = await reply;
      digests.push([digest(message), from.port]);
    }
    socket.close();
    return digests;
  },

  async lookup({ name }) {
    return require('node:dns').promises.lookup(name, { all: true });
  },

  // c-ares over sockets the event loop polls.
  async resolve({ port, name, missing }) {
    const resolver = new (require('node:dns').promises.Resolver)();
    resolver.setServers([`127.0.0.1:${port}`]);
    const failure = await resolver.resolve4(missing).then(() => 'found', error => error.code);
    return {
      a: await resolver.resolve4(name),
      aaaa: await resolver.resolve6(name),
      txt: await resolver.resolveTxt(name),
      failure,
    };
  },

  async refused({ port }) {
    return new Promise(resolve => net.connect({ port, host: '127.0.0.1' })
      .on('connect', () => resolve('connected'))
      .on('error', error => resolve(error.code)));
  },

  async reset({ port }) {
    return new Promise(resolve => {
      let greeting = '';
      net.connect({ port, host: '127.0.0.1' })
        .on('data', function (data) {
          greeting += data;
          if (greeting.length === 10)
            this.write('x');
        })
        .on('end', () => resolve({ greeting, code: 'end' }))
        .on('error', error => resolve({ greeting, code: error.code }));
    });
  },

  // Connections come and go; no socket may linger.
  async churn({ rounds }) {
    const server = net.createServer(socket => socket.end('done'));
    server.listen(0, '127.0.0.1');
    const port = await listening(server);
    let good = 0;
    for (let i = 0; i < rounds; i++)
      if (String(await exchange(port, '127.0.0.1', '')) === 'done')
        good++;
    await new Promise(resolve => server.close(resolve));
    return good;
  },

  // A listening socket goes to a child process, which serves the connections.
  async handle_passing({ length }) {
    const child = require('node:child_process').fork(__filename, ['handle_passing_child', '{}']);
    const server = net.createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    const port = await listening(server);
    const ready = new Promise(resolve => child.once('message', resolve));
    child.send('server', server);
    await ready;
    await new Promise(resolve => server.close(resolve));
    const echoed = await exchange(port, '127.0.0.1', payload('child', length));
    const exited = new Promise(resolve => child.once('exit', resolve));
    child.send('stop');
    return { digest: digest(echoed), exit: await exited };
  },

  async handle_passing_child() {
    process.on('message', (message, server) => {
      if (message === 'stop')
        process.exit(7);
      server.on('connection', socket => socket.pipe(socket));
      process.send('ready');
    });
    return new Promise(() => {});
  },

  // The child's output comes through pipes while sockets are busy.
  async child_output({ lines }) {
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, [...process.execArgv, '-e',
      `for (let i = 0; i < ${lines}; i++) console.log('line ' + i)`]);
    let text = '';
    child.stdout.on('data', data => { text += data; });
    const exit = await new Promise(resolve => child.on('close', resolve));
    return { exit, digest: digest(text.replace(/\r/g, '')) };
  },
};

const [name, json] = process.argv.slice(2);
cases[name](JSON.parse(json)).then(result => {
  console.log(`RESULT ${JSON.stringify(result)}`);
}, error => {
  console.error(error);
  process.exit(1);
});
