/** Names a class of errors. Defined, not assigned: a frozen Error.prototype (SES) forbids its heirs to assign `name`. */
export function nameErrors(type: { name: string; prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true })
}
