/** What each system call may fail with, by its Linux man page: the calls of the seam that making, using or ending a connection takes. */
export const errnosOf: Readonly<Record<string, readonly string[]>> = {
  socket: words('EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT'),
  bind: words('EACCES EADDRINUSE EADDRNOTAVAIL EBADF EFAULT EINVAL ENOMEM ENOTSOCK'),
  connect: words(
    'EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED EFAULT EINPROGRESS EINTR EISCONN ' +
      'ENETUNREACH ENOTSOCK EPERM EPROTOTYPE ETIMEDOUT',
  ),
  close: words('EBADF EDQUOT EINTR EIO ENOSPC'),
  setsockopt: words('EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK'),
  getsockopt: words('EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK'),
  getpeername: words('EBADF EFAULT EINVAL ENOBUFS ENOTCONN ENOTSOCK'),
  getsockname: words('EBADF EFAULT EINVAL ENOBUFS ENOTSOCK'),
  fcntl: words('EACCES EAGAIN EBADF EFAULT EINTR EINVAL EMFILE EPERM'),
  poll: words('EFAULT EINTR EINVAL ENOMEM'),
  epoll_create1: words('EINVAL EMFILE ENFILE ENOMEM'),
  epoll_ctl: words('EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM'),
  epoll_wait: words('EBADF EFAULT EINTR EINVAL'),
  eventfd: words('EINVAL EMFILE ENFILE ENODEV ENOMEM'),
  getrlimit: words('EFAULT EINVAL EPERM'),
  pthread_create: words('EAGAIN EINVAL EPERM'),
  malloc: words('ENOMEM'),
}

function words(text: string): string[] {
  return text.split(' ')
}
