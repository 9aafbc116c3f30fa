/** `-4` and `-6`: of a name's addresses only those of one family. */
import { type Command, Option } from 'commander'

export interface FamilyFlags {
  4?: boolean
  6?: boolean
}

export function addFamilyFlags(command: Command): void {
  command
    .addOption(new Option('-4', 'of a name, only the IPv4 addresses').conflicts('6'))
    .addOption(new Option('-6', 'of a name, only the IPv6 addresses').conflicts('4'))
}

export const familyOf = (flags: FamilyFlags): 4 | 6 | undefined => (flags[4] ? 4 : flags[6] ? 6 : undefined)
