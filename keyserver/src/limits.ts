/** What clients may use of one keyserver process. */
export interface KeyserverLimits {
  readonly connections: number
  /**
   * Connections at the same time of one address (IPv6: of one /64), one identity, one meeting. Many
   * people may be behind one address, and all who come through an SFU are.
   */
  readonly connectionsPerAddress: number
  readonly connectionsPerIdentity: number
  readonly connectionsPerMeeting: number
  /** Connections a minute that one address may try to make, over time and at once. */
  readonly connectionAttemptsPerMinute: number
  /** Meetings that have a group at the same time. */
  readonly groups: number
  /** Requests a second of one connection over time, and at once. */
  readonly requestsPerSecond: number
  readonly requestBurst: number
  /** The same for all connections of one identity together. */
  readonly identityRequestsPerSecond: number
  readonly identityRequestBurst: number
  /** Application messages a second of one connection over time, and at once. */
  readonly messagesPerSecond: number
  readonly messageBurst: number
  /** The same for a whole meeting, in which each goes to everybody. */
  readonly meetingMessagesPerSecond: number
  readonly meetingMessageBurst: number
  /** Requests of one connection that are under way. */
  readonly pendingRequests: number
  /** Bytes that wait to be written to one connection; one that reads too slowly is cut. */
  readonly unsentBytes: number
  /** KeyPackages that wait in one group. */
  readonly waitingJoiners: number
  /** Commits of one leaf in ten seconds: what a busy meeting of two needs. */
  readonly commitsPerLeaf: number
}

export const defaultLimits: KeyserverLimits = {
  connections: 10_000,
  connectionsPerAddress: 4_000,
  connectionsPerIdentity: 64,
  connectionsPerMeeting: 2_000,
  connectionAttemptsPerMinute: 6_000,
  groups: 10_000,
  requestsPerSecond: 50,
  requestBurst: 200,
  identityRequestsPerSecond: 200,
  identityRequestBurst: 800,
  messagesPerSecond: 5,
  messageBurst: 20,
  meetingMessagesPerSecond: 100,
  meetingMessageBurst: 400,
  pendingRequests: 64,
  unsentBytes: 8 << 20,
  waitingJoiners: 256,
  commitsPerLeaf: 40,
}

/** Bytes of one socket.io packet: a commit with its Welcome and GroupInfo, 1 MiB each. */
export const maxPacketBytes = 4 << 20

/**
 * A commit that is refused for what it is counts as one more request for so many bytes: what it
 * adds is in them, and verifying that takes most of the time.
 */
export const commitBytesPerRequest = 1024

/** An application message counts as one for each KiB that it has begun. */
export const bytesPerMessage = 1024

/** How long a KeyPackage may wait, and its Welcome after that, in milliseconds. */
export const waitingMs = 5 * 60_000
export const welcomeMs = 5 * 60_000
/**
 * How long a newcomer may take from its Welcome to its presence while its connection stands: it
 * verifies all leaves first, on a device that may be slow and a machine that may be busy.
 */
export const joiningMs = 2 * 60_000
/** How long the tree of an epoch that someone was added in is kept at least. */
export const treeMs = 60_000
/**
 * How long a KeyPackage may be valid, in seconds: what DESIGN's five minutes of waiting need, with
 * room for a joiner whose clock is ten minutes off either way.
 */
export const maxLifetimeSeconds = 25n * 60n
/** A KeyPackageRef is remembered for longer than its KeyPackage can be valid. */
export const usedRefMs = 45 * 60_000
/** Commits after which the public group is stored anew, so that less has to be replayed. */
export const snapshotCommits = 32

/**
 * How long a group that has been reinitialised waits for another to continue it. Every member has
 * the part of the founder in its turn; where none could play it, the meeting begins anew.
 */
export const frozenMs = 2 * 60_000
/** What is left of a KeyPackage's validity when it is used: what a founder by an honest clock asks. */
export const foundingMarginMs = 2 * 60_000

/** Proposals of one epoch, and their bytes, beside removals, which always have room. */
export const maxEpochProposals = 1024
export const maxEpochProposalBytes = 2 << 20
/** What a SelfRemove may have to be such a removal; it carries names and a signature alone. */
export const maxLeavingBytes = 1 << 10

/** The time in which a leaf's commits are counted. */
export const commitRateMs = 10_000
/** How long an external commit waits for members to commit the removals that are pending. */
export const externalCommitWaitMs = 2_000
/** A group takes lost entries back once in this time: it is a rare thing, and costly to check. */
export const givenBackEveryMs = 5_000
/** How often a group's members are asked how they fared with a commit, for the sake of one. */
export const statusWantedEveryMs = 1_000
/** How often an instance looks whether others have gone on with a meeting's log. */
export const refreshMs = 3_000
/** An instance that says nothing for this long is gone, and its connections with it. */
export const leaseMs = 15_000
/**
 * Who came or went is told to the store once more after this time: a replica that takes over may
 * lack what was said shortly before, and whoever is gone would stay, and stay in the group.
 */
export const presenceRepeatMs = 10_000
/** At most so often a group is looked after because entries were appended. */
export const checkIntervalMs = 100
/** How often a group is looked after, whatever happens in it. */
export const checkMs = 15_000
/** How often a connection is asked for a sign of life, and how long it may take to give it. */
export const defaultHeartbeatMs = 10_000
/**
 * How long a member may go without a commit of its own: three times what sessions take at most.
 * Whoever has got hold of such a member's keys once would read on (RFC 9750 §8.2.2).
 */
export const defaultIdleMs = 30 * 60_000
/** How long a meeting may last: a day. */
export const defaultMeetingMs = 24 * 3_600_000
