/** `-4` and `-6`: of a name's addresses only those of one family. */
import { type Command, Option } from 'commander'

export interface FamilyFlags {
  ipv4?: boolean
  ipv6?: boolean
}

export function addFamilyFlags(command: Command): void {
  command
    .addOption(new Option('-4, --ipv4', 'of a name only its IPv4 addresses').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'of a name only its IPv6 addresses'))
}

export const familyOf = ({ ipv4, ipv6 }: FamilyFlags): 4 | 6 | undefined => (ipv4 ? 4 : ipv6 ? 6 : undefined)
