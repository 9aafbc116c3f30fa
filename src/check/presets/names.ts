/** What probes there are by name, for help that loads none of them. */

export const presetNames = ['http', 'redis', 'smtp', 'postgres', 'mysql', 'ssh'] as const
export type PresetName = (typeof presetNames)[number]

/** Those that can change to TLS on the open connection. */
export const starttlsNames = ['smtp', 'postgres', 'mysql'] as const
export type StarttlsName = (typeof starttlsNames)[number]
