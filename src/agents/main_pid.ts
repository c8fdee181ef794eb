// Whose beat a message with MAINPID= is (spec 20 section 2). A user may speak for processes of its
// own in the same place and for nobody else: who could name any process would have it watched, and
// recovered, in its stead.

/** What the kernel says of where a process is and whose. */
export interface ProcessPlace {
  /** Of the sender that which the kernel attests, of another process its real one. */
  readonly uid: number;
  /** Its service, and the user in whose manager that runs; "" as in `Identity`. */
  readonly unit: string;
  readonly unitUser: string;
  /** Its control group in the hierarchy of the service manager, whole; "" = not known. */
  readonly cgroup: string;
}

export interface MainProcess extends ProcessPlace {
  readonly isAlive: boolean;
  /** Its start time; NaN = not known. */
  readonly startTime: number;
}

export interface MainPidQuestion {
  readonly senderPid: number;
  /** 0 = what the message names cannot be a process. */
  readonly mainPid: number;
  /** When the message was received, on the clock of start times. */
  readonly receivedGeneration: number;
  /** Undefined = it could not be looked at. */
  readonly sender: ProcessPlace | undefined;
  readonly main: MainProcess | undefined;
}

/** The pid of the member; 0 = the message is refused. */
export function memberPid(question: MainPidQuestion): number {
  const { senderPid, mainPid, receivedGeneration, sender, main } = question;
  if (mainPid === senderPid) return senderPid;
  if (mainPid === 0 || sender === undefined || main === undefined) return 0;
  if (sender.uid !== main.uid || !isSamePlace(sender, main)) return 0;
  // A pid that was given anew after the message is another process than the one that was meant.
  return main.isAlive && main.startTime <= receivedGeneration ? mainPid : 0;
}

function isSamePlace(a: ProcessPlace, b: ProcessPlace): boolean {
  if (a.unit !== "" || b.unit !== "") return a.unit === b.unit && a.unitUser === b.unitUser;
  return a.cgroup !== "" && a.cgroup === b.cgroup;
}
