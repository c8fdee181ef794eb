// The lines about recoveries (spec 10 section 8).
import { describe, expect, test } from "bun:test";
import { LineWindow } from "../../src/daemon/line_window.ts";
import { Log } from "../../src/daemon/log.ts";
import { OutcomeReports } from "../../src/daemon/outcome_reports.ts";
import { REASONS } from "../../src/events/outcome_words.ts";
import { stallOf } from "../recovery/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";

/** `gone`: pids that no process has. */
function reporting(level: "debug" | "info", gone: readonly number[] = []) {
  const lines: string[] = [];
  const log = new Log({
    ...{ level, format: "logfmt", journal: false, sessionId: "" },
    write: (line) => lines.push(line.slice(line.indexOf("level="), -1)),
    wallMs: () => 0,
    monotonicNs: () => 0,
  });
  const reports = new OutcomeReports({
    log,
    window: new LineWindow(log, () => 0),
    listenerNames: ["main", "edge"],
    agentName: (number) => (number === 9 ? "worker@3" : ""),
    wallMs: () => Date.UTC(2026, 10, 28, 2, 20, 1),
    isGone: (pid) => gone.includes(pid),
  });
  return { reports, lines };
}

describe("a recovery", () => {
  test("is two lines of one number, agent first; its steps are for debugging", () => {
    for (const level of ["info", "debug"] as const) {
      const { reports, lines } = reporting(level);
      reports.outcome(outcomeOf("began", { plan: "restart" }));
      reports.outcome(outcomeOf("step", { plan: "restart", step: "signal" }));
      reports.outcome(outcomeOf("spawn", { stepNumber: 2, stepCount: 2 }));
      reports.outcome(outcomeOf("complete", { stepNumber: 2, stepCount: 2 }));
      reports.outcome(outcomeOf("end"));
      reports.outcome(outcomeOf("verdict"));
      reports.outcome(outcomeOf("result", { byPid: 8840 }));
      const of51 = "agent=worker@3 pid=4242 recovery_id=51";
      expect(lines.filter((line) => !line.startsWith("level=debug"))).toEqual([
        `level=info msg="recovery began" ${of51} plan=restart steps=2`,
        `level=info msg="recovery helped" ${of51} step=2/2 took_ms=12 by_pid=8840 ` +
          'steps="SIGQUIT sent; restart app.service done" exit_code=0',
      ]);
      expect(lines.filter((line) => line.startsWith("level=debug"))).toEqual(
        level === "info"
          ? []
          : [
              `level=debug msg="recovery step" ${of51} step=1/1 kind=signal what=SIGTERM`,
              `level=debug msg="recovery step" ${of51} step=2/2 kind=exec program=/bin/recover child_pid=5001`,
              `level=debug msg="recovery step ended" ${of51} step=2/2 kind=exec child_pid=5001 exit_code=0 duration_ms=12`,
            ],
      );
    }
  });

  test("that did not help is an error with what its steps came to, and what can be done", () => {
    const { reports, lines } = reporting("info");
    reports.outcome(
      outcomeOf("result", {
        result: "not_helped",
        steps: "SIGQUIT: EPERM (operation not permitted); /bin/fix exit 1",
        exitCode: 1,
        fault: "signal_failed",
      }),
    );
    expect(lines).toEqual([
      'level=error msg="recovery did not help" agent=worker@3 pid=4242 recovery_id=51 step=2/2 ' +
        'took_ms=12 steps="SIGQUIT: EPERM (operation not permitted); /bin/fix exit 1" exit_code=1 ' +
        'hint="run the daemon as the user of the agent, or grant CAP_KILL"',
    ]);
  });

  test.each([
    ["done", "info", "recovery done"],
    ["unverified", "warn", "recovery unverified"],
    ["ended", "info", "recovery ended"],
    ["interrupted", "warn", "recovery interrupted"],
  ] as const)("that is %s is told at level %s", (result, level, words) => {
    const { reports, lines } = reporting("info");
    reports.outcome(outcomeOf("result", { result, reason: "so it is" }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith(`level=${level} msg="${words}" agent=worker@3 pid=4242 `);
    expect(lines[0]).toContain(' reason="so it is" ');
  });

  test("that runs too long is a warning with its step", () => {
    const { reports, lines } = reporting("info");
    reports.outcome(outcomeOf("timeout", { stepNumber: 2, stepCount: 3 }));
    expect(lines).toEqual([
      'level=warn msg="recovery timed out" agent=worker@3 pid=4242 recovery_id=51 step=2/3 ' +
        "kind=exec child_pid=5001 timeout_ms=12 sent=SIGTERM",
    ]);
  });

  test("says in a dry run that it is one", () => {
    const { reports, lines } = reporting("debug");
    reports.outcome(outcomeOf("began", { dryRun: true }));
    reports.outcome(outcomeOf("step", { dryRun: true }));
    reports.outcome(outcomeOf("result", { dryRun: true, result: "done" }));
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toEndWith(" dry_run=true");
  });
});

describe("a refusal", () => {
  test("has no number; one for want of accept_recovery names the key and the listener", () => {
    const { reports, lines } = reporting("info");
    const reason = "unauthenticated_transport";
    const stall = stallOf({ listener: 1 });
    const refused = outcomeOf("refused", { label: REASONS[reason].label, reason, stall });
    reports.outcome({ ...refused, recoveryId: 0 });
    expect(lines).toEqual([
      'level=warn msg="recovery refused" agent=worker@3 pid=4242 reason=unauthenticated_transport ' +
        'cause="listener edge has no accept_recovery" ' +
        'hint="accept_recovery = true in [[listener]] edge"',
    ]);
  });

  test.each(["cross_namespace_agent", "process_unreadable", "unproven_sender"] as const)(
    "for %s asks for no right if no process has the pid any more",
    (reason) => {
      const refused = { ...outcomeOf("refused", { reason, stall: stallOf() }), recoveryId: 0 };
      const lineOf = (gone: readonly number[]): string => {
        const { reports, lines } = reporting("info", gone);
        reports.outcome(refused);
        return lines[0]!;
      };
      expect(lineOf([4_242])).toContain('hint="the process has ended, and which one it was');
      expect(lineOf([4_242])).not.toContain("CAP_SYS_PTRACE");
      expect(lineOf([])).not.toContain("has ended");
    },
  );

  test("of a step is one of its recovery, and for debugging", () => {
    const { reports, lines } = reporting("debug");
    reports.outcome(outcomeOf("refused", { reason: "signal_failed", error: "EPERM" }));
    expect(lines).toEqual([
      'level=debug msg="recovery step failed" agent=worker@3 pid=4242 recovery_id=51 step=1/1 ' +
        "kind=exec error=EPERM reason=signal_failed",
    ]);
  });

  test("for a pause is told if nothing comes of it, and is no news if it is decided again", () => {
    const { reports, lines } = reporting("info");
    const refused = { ...outcomeOf("refused", { reason: "backing_off" }), recoveryId: 0 };
    reports.outcome(refused);
    expect(lines).toEqual([]);
    reports.outcome({ ...refused, error: "the pause has 540ms left" });
    expect(lines.map((line) => line.replace(/ hint=.*/, ""))).toEqual([
      'level=warn msg="recovery refused" agent=worker@3 pid=4242 reason=backing_off cause="the pause has 540ms left"',
    ]);
  });

  test("for a used-up budget is an error once, with the figures", () => {
    const { reports, lines } = reporting("info");
    const gaveUp = outcomeOf("refused", { reason: "gave_up", error: "3 of 3 recoveries in 1h" });
    const used = { recoveries: 3, windowNs: 3_600e9, nextNs: gaveUp.observerNs + 164e9 };
    reports.outcome({ ...gaveUp, used, recoveryId: 0 });
    reports.outcome({ ...gaveUp, recoveryId: 0, isRepeated: true });
    expect(lines.map((line) => line.replace(/ hint=.*/, ""))).toEqual([
      'level=error msg="gave up" agent=worker@3 pid=4242 recoveries=3 window_ms=3600000 next=2026-11-28T02:22:45.000Z',
      'level=warn msg="recovery refused" agent=worker@3 pid=4242 reason=gave_up cause="3 of 3 recoveries in 1h"',
    ]);
  });
});
