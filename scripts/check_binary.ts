// `bun scripts/check_binary.ts FILE VERSION-LINE`: is this executable varta-watch, whole and
// sealed? For the executable inside a package: tools that strip or rewrite executables break it
// without a word.
import { checkBinary } from "./binary/check.ts";

const [path, line] = process.argv.slice(2);
if (path === undefined || line === undefined) {
  console.error('usage: bun scripts/check_binary.ts FILE "varta-watch X.Y.Z (...)"');
  process.exit(64);
}
const problems = await checkBinary(path, line);
for (const problem of problems) console.error(`${path}: ${problem}`);
if (problems.length === 0) console.log(`${path}: ok`);
process.exit(problems.length === 0 ? 0 : 1);
