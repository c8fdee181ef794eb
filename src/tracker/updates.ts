// What became of a datagram in the tracker.

export const UPDATE_INSERTED = 0;
export const UPDATE_REFRESHED = 1;
export const UPDATE_OUT_OF_ORDER = 2;
export const UPDATE_CAPACITY_EXCEEDED = 3;
export const UPDATE_ORIGIN_CONFLICT = 4;
export const UPDATE_NAMESPACE_CONFLICT = 5;
