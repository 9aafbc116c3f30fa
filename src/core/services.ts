/** Names that stand for ports: in URLs, and in /etc/services. For messages alone, which name the number to write. */
const ports: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  sftp: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  dns: 53,
  http: 80,
  ws: 80,
  pop3: 110,
  imap: 143,
  ldap: 389,
  https: 443,
  wss: 443,
  smtps: 465,
  submission: 587,
  ldaps: 636,
  imaps: 993,
  pop3s: 995,
  mqtt: 1883,
  etcd: 2379,
  mysql: 3306,
  mariadb: 3306,
  postgres: 5432,
  postgresql: 5432,
  amqp: 5672,
  redis: 6379,
  rediss: 6379,
  mqtts: 8883,
  kafka: 9092,
  memcached: 11211,
  mongodb: 27017,
}

export function portNamed(name: string): number | undefined {
  const key = name.toLowerCase()
  return Object.hasOwn(ports, key) ? ports[key] : undefined
}
