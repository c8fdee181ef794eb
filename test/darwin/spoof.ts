// Loaded before anything else: the program takes this machine for a Mac.
Object.defineProperty(process, "platform", { value: "darwin" });
const arch = process.env["VARTA_TEST_ARCH"];
if (arch !== undefined) Object.defineProperty(process, "arch", { value: arch });
