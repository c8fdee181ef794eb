// An agent that beats every 50 ms until it is told how to end: a line "exit 3" on its standard
// input.
import { connect } from "../../src/client/mod.ts";

const client = connect(process.argv[2]);
client.beat();
setInterval(() => client.beat(), 50);
console.log("beats");
process.stdin.on("data", (data) => {
  const [, status] = String(data).trim().split(" ");
  process.exit(Number(status));
});
