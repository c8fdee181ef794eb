// `node --import varta-watch-client/auto program.js`: beats each second from the event loop, and an
// uncaught error is told. It proves that the event loop turns, and nothing about the work: a program
// whose jobs hang while timers go on looks well.
"use strict";
const { isMainThread } = require("node:worker_threads");
const { connect } = require("./index.cjs");

// A worker thread runs this, too.
if (isMainThread) {
  const client = connect();
  client.every(1000);
  client.installCrashBeat();
}
