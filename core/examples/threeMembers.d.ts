import { type Bytes } from '@conclave/core/mls';
/** Alice founds a group and adds Bob and Carol; all three export the same key. */
export declare function threeMembers(clock: {
    now(): number;
}): Promise<readonly Bytes[]>;
//# sourceMappingURL=threeMembers.d.ts.map