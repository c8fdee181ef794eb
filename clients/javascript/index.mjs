// The same module for `import`: one implementation, so one numbering.
import client from "./index.cjs";

export const { connect, connectUdp, connectSecureUdp, FakeClient } = client;
