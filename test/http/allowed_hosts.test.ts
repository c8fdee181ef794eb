import { describe, expect, test } from "bun:test";
import { AllowedHosts } from "../../src/http/allowed_hosts.ts";

describe("AllowedHosts", () => {
  const hosts = new AllowedHosts(["Watch.example.org", "db7."]);

  test.each([
    undefined,
    "localhost",
    "LOCALHOST:9469",
    "127.0.0.1",
    "10.1.2.3:9469",
    "[::1]",
    "[2001:db8::7]:9469",
    "watch.example.org",
    "WATCH.example.org.:80",
    "db7",
  ])("allows %s", (authority) => {
    expect(hosts.allows(authority)).toBe(true);
  });

  test.each([
    "",
    ":9469",
    "evil.example",
    "evil.example:9469",
    "localhost.evil.example",
    "watch.example.org.evil.example",
    "example.org",
    "127.0.0.1.evil.example",
    "2130706433",
    "127.1",
    "[::1].evil.example",
    "[evil.example]",
    "::1",
  ])("refuses %j", (authority) => {
    expect(hosts.allows(authority)).toBe(false);
  });
});
