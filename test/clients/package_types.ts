// The types that are written for the package and the code that they speak of, each in the place of
// the other: "npm run types" fails where one has what the other lacks.
import type * as Written from "../../clients/javascript/index.d.mts";
import type * as Code from "../../src/client/package.ts";

type Same<A extends B, B> = A;

export type Held = [
  Same<typeof Code, Omit<typeof Written, "FakeClient">>,
  Same<InstanceType<typeof Code.FakeClient>, Written.FakeClient>,
  Same<Parameters<typeof Written.connect>, Parameters<typeof Code.connect>>,
  Same<Parameters<typeof Code.connect>, Parameters<typeof Written.connect>>,
  Same<Parameters<typeof Written.connectUdp>, Parameters<typeof Code.connectUdp>>,
  Same<Parameters<typeof Code.connectUdp>, Parameters<typeof Written.connectUdp>>,
  Same<Parameters<typeof Written.connectSecureUdp>, Parameters<typeof Code.connectSecureUdp>>,
  Same<Parameters<typeof Code.connectSecureUdp>, Parameters<typeof Written.connectSecureUdp>>,
];
