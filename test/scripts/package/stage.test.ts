// The tools that make packages are started in an environment of their own.
import { expect, test } from "bun:test";
import { ARCHITECTURES, type PackageJob, runTool } from "../../../scripts/package/stage.ts";

const JOB: PackageJob = {
  architecture: ARCHITECTURES[0]!,
  work: "/nonexistent",
  out: "/nonexistent",
  version: "0.1.0",
  release: "1",
  config: undefined,
  fast: true,
  epochSeconds: 1_700_000_000,
  clientPackage: "/nonexistent",
};

test("what the bytes depend on is told to a tool by its environment, which older ones ignore", () => {
  const told = '"$SOURCE_DATE_EPOCH $DPKG_DEB_THREADS_MAX $TZ"';
  runTool(["sh", "-c", `test ${told} = "1700000000 2 UTC"`], JOB);
});

test("a tool that fails is reported with its words and what it said", () => {
  expect(() => runTool(["sh", "-c", "echo no >&2; exit 3"], JOB)).toThrow("exited with 3:\nno");
});
