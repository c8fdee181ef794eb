// What beats go through: a stream connection or a UDP socket of the runtime. A line is made when a
// beat finds none, tells onOpen or onEnd once, and never keeps the process alive.
"use strict";
const dgram = require("node:dgram");
const net = require("node:net");

function streamLine(path) {
  return ({ onOpen, onEnd }) => {
    const socket = net.connect({ path });
    socket.unref();
    // Nothing comes back; the end is only seen by who reads.
    socket.resume();
    socket.once("connect", onOpen);
    socket.on("error", onEnd);
    socket.on("close", () => onEnd(undefined));
    return {
      // The runtime keeps what the kernel did not take; one frame at most may wait there.
      isFull: () => socket.writableLength > 0,
      send: (frame) => void socket.write(frame),
      // What waits still goes out, and the descriptor is closed.
      close: () => void socket.end(),
      drop: () => void socket.destroy(),
    };
  };
}

function udpLine(host, port) {
  return ({ onOpen, onEnd, onRefused }) => {
    const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const end = () => {
      try {
        socket.close();
      } catch {
        // It was closed before.
      }
    };
    socket.unref();
    socket.on("error", (error) => (isAnswer(error) ? onRefused(error) : onEnd(error)));
    socket.connect(port, host, (error) => (error ? onEnd(error) : onOpen()));
    return {
      isFull: () => socket.getSendQueueCount() > 0,
      send: (datagram) =>
        socket.send(datagram, (error) => {
          if (!error) return;
          if (isAnswer(error)) onRefused(error);
          else onEnd(error);
        }),
      close: end,
      drop: end,
    };
  };
}

/** What is refused is an earlier beat, and the socket is good. */
function isAnswer(error) {
  return error.code === "ECONNREFUSED";
}

module.exports = { streamLine, udpLine };
