{
  'targets': [{
    'target_name': 'cancelpoint',
    'sources': [
      'addon.cc', 'cancels.c', 'deadlines.c', 'inbox.c', 'lane.c', 'lane_group.c', 'lane_stack.c', 'ledger.c', 'nonblocking.c',
      'outbox.c', 'poller_epoll.c', 'reactor.c', 'reactors.c', 'reaper.c', 'registry.c', 'socket.c', 'socket_options.c',
      'syscalls.c', 'wire.c',
    ],
    'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
    # A worker may be terminated while it loads the addon: then no exception can be thrown, and that is not fatal.
    'defines': [
      'NAPI_VERSION=9', 'NODE_ADDON_API_DISABLE_DEPRECATED', 'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
      'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', '_GNU_SOURCE',
    ],
    # A cancelled lane unwinds through lane.c: C, with -fexceptions, and the shared unwinder (a static libgcc aborts).
    'cflags': ['-Wall', '-Wextra', '-fvisibility=hidden'],
    'cflags_c': ['-std=gnu11', '-fexceptions'],
    'cflags_cc': ['-std=gnu++17'],
    # Lanes may outlive the environment that loaded the addon: its code stays mapped.
    'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,now', '-pthread', '-shared-libgcc'],
  }],
}
