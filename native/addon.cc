// The door between JavaScript and the plain C below: the only file that knows Node-API. Each environment (main
// thread or worker) that loads it has an outbox, and a group of lanes once it opens one. Every function here is
// called on its environment's thread; errors come back as negative errnos and TypeScript words them.
#include <fcntl.h>
#include <napi.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string>

extern "C" {
#include "attempt.h"
#include "cancels.h"
#include "lane_group.h"
#include "ledger.h"
#include "outbox.h"
#include "reactors.h"
#include "socket_options.h"
#include "syscalls.h"
#include "wire.h"
}

namespace {

using Napi::CallbackInfo;
using Napi::Value;

constexpr size_t kDrainAtOnce = 256;

struct Environment {
  outbox* box = nullptr;
  lane_group* lanes = nullptr;
  napi_threadsafe_function bell = nullptr;
  cancel_pace pace{};
  uint32_t reactor_users = 0;
};

Environment& Of(const CallbackInfo& info) { return *static_cast<Environment*>(info.Data()); }

Value Number(const CallbackInfo& info, double value) { return Napi::Number::New(info.Env(), value); }

int Int(const CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Int32Value(); }

// A count as it was passed, but no more than there is room for.
size_t AtMost(const CallbackInfo& info, size_t index, size_t room) {
  return std::min<size_t>(info[index].As<Napi::Number>().Uint32Value(), room);
}

// 0 or a number of success as it is, -1 as the negative errno.
Value Result(const CallbackInfo& info, int result) { return Number(info, result < 0 ? -errno : result); }

// On a posting lane, or on this thread; outbox_close waits for it, and it is never called afterwards.
void Ring(void* context) {
  napi_call_threadsafe_function(static_cast<Environment*>(context)->bell, nullptr, napi_tsfn_nonblocking);
}

// The environment's end: worker terminated, process done. Lanes first, so that none is left behind to post.
void Close(void* data) {
  auto* environment = static_cast<Environment*>(data);
  outbox_close(environment->box);
  attempts_sweep(environment->box);
  if (environment->lanes != nullptr) group_close(environment->lanes);
  // What it was given is cancelled by now, and posts to an outbox that stays until its last attempt is over.
  for (; environment->reactor_users > 0; environment->reactor_users--) reactors_stop();
  if (environment->bell != nullptr) napi_release_threadsafe_function(environment->bell, napi_tsfn_abort);
  outbox_drop(environment->box);
  delete environment;
}

// onOutcomes(callback): called, on a later turn, whenever outcomes wait to be drained. Keeps nothing alive.
Value OnOutcomes(const CallbackInfo& info) {
  Environment& environment = Of(info);
  napi_value name = Napi::String::New(info.Env(), "cancelpoint outcomes");
  napi_status status = napi_create_threadsafe_function(info.Env(), info[0], nullptr, name, 0, 1, nullptr, nullptr,
                                                       nullptr, nullptr, &environment.bell);
  if (status == napi_ok) status = napi_unref_threadsafe_function(info.Env(), environment.bell);
  // Hooks run newest first: the bell has one of its own now, and ours must come before it.
  napi_remove_env_cleanup_hook(info.Env(), Close, &environment);
  napi_add_env_cleanup_hook(info.Env(), Close, &environment);
  return Number(info, status == napi_ok ? 0 : -ENOMEM);
}

// hold(on): whether outcomes to come keep the event loop alive.
Value Hold(const CallbackInfo& info) {
  auto change = info[0].As<Napi::Boolean>().Value() ? napi_ref_threadsafe_function : napi_unref_threadsafe_function;
  return Number(info, change(info.Env(), Of(info).bell) == napi_ok ? 0 : -EINVAL);
}

// reserve(requests, addresses, count, ids): how many ids it wrote. A request is REQUEST_FIELDS numbers; the addresses of all
// of them stand in a row, each request's remote one and then its local one.
Value Reserve(const CallbackInfo& info) {
  auto requests = info[0].As<Napi::Float64Array>();
  auto addresses = info[1].As<Napi::Uint8Array>();
  auto ids = info[3].As<Napi::Float64Array>();
  size_t count = AtMost(info, 2, std::min(ids.ElementLength(), requests.ElementLength() / REQUEST_FIELDS));
  const double* fields = requests.Data();
  const uint8_t* at = addresses.Data();
  const uint8_t* end = at + addresses.ByteLength();
  size_t reserved = 0;
  for (; reserved < count; reserved++, fields += REQUEST_FIELDS) {
    attempt_request request = request_read(fields);
    size_t length = size_t{request.remote_length} + request.local_length;
    if (static_cast<size_t>(end - at) < length) break;
    uint64_t id = attempt_reserve(Of(info).box, &request, at);
    if (id == 0) break;
    ids[reserved] = static_cast<double>(id);
    at += length;
  }
  return Number(info, static_cast<double>(reserved));
}

// openLanes(maxLanes, stackBytes, idleMs): the number of this environment's group of lanes, which it opens, or a negative
// errno. The group closes as the environment ends. In a worker of the pool, once.
Value OpenLanes(const CallbackInfo& info) {
  Environment& environment = Of(info);
  if (environment.lanes != nullptr) return Number(info, -EALREADY);
  lane_options options{info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value(),
                       info[2].As<Napi::Number>().Uint32Value()};
  environment.lanes = group_open(&options);
  if (environment.lanes == nullptr) return Number(info, -errno);
  return Number(info, static_cast<double>(group_number(environment.lanes)));
}

// submitToLanes(group, ids, count): hands reserved attempts to a group of lanes, whichever environment opened it. -ESRCH where
// it has closed: the ids are still reserved.
Value SubmitToLanes(const CallbackInfo& info) {
  auto number = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  auto ids = info[1].As<Napi::Float64Array>();
  size_t count = AtMost(info, 2, ids.ElementLength());
  return Number(info, group_submit(number, ids.Data(), count) ? 0 : -ESRCH);
}

// startReactors(atMost): 0, or a negative errno and the call that gave it. One stopReactors for each that was 0; an environment
// that ends makes up for what is missing. The first user in the process says how many there may be.
Value StartReactors(const CallbackInfo& info) {
  failure failure = reactors_start(info[0].As<Napi::Number>().Uint32Value());
  if (failure.error == 0) Of(info).reactor_users++;
  auto told = Napi::Array::New(info.Env(), 2);
  told[uint32_t{0}] = Number(info, -failure.error);
  told[uint32_t{1}] = Number(info, failure.call);
  return told;
}

Value StopReactors(const CallbackInfo& info) {
  Environment& environment = Of(info);
  if (environment.reactor_users == 0) return Number(info, -EINVAL);
  environment.reactor_users--;
  reactors_stop();
  return Number(info, 0);
}

// submitToReactors(ids, count): hands reserved attempts to the reactors. How many are over already: they wait to be drained, unannounced.
Value SubmitToReactors(const CallbackInfo& info) {
  auto ids = info[0].As<Napi::Float64Array>();
  size_t count = AtMost(info, 1, ids.ElementLength());
  if (Of(info).reactor_users == 0) return Number(info, -EINVAL);
  return Number(info, static_cast<double>(reactors_submit(ids.Data(), count)));
}

Value Forfeit(const CallbackInfo& info) {
  auto ids = info[0].As<Napi::Float64Array>();
  for (size_t i = 0; i < ids.ElementLength(); i++) attempt_forfeit(static_cast<uint64_t>(ids[i]));
  return info.Env().Undefined();
}

// cancel(ids, count): asks for the end of each; the outcomes tell when it has come. How many are over already: they wait to be
// drained, unannounced.
Value Cancel(const CallbackInfo& info) {
  auto ids = info[0].As<Napi::Float64Array>();
  size_t count = AtMost(info, 1, ids.ElementLength());
  return Number(info, static_cast<double>(cancels_send(&Of(info).pace, ids.Data(), count)));
}

// drain(into, room): writes so many outcomes, OUTCOME_FIELDS numbers each, and returns how many there were. One that yields a
// descriptor must be claimed.
Value Drain(const CallbackInfo& info) {
  auto into = info[0].As<Napi::Float64Array>();
  size_t room = AtMost(info, 1, into.ElementLength() / OUTCOME_FIELDS);
  attempt_outcome outcomes[kDrainAtOnce];
  size_t count = attempt_drain(Of(info).box, outcomes, room < kDrainAtOnce ? room : kDrainAtOnce);
  double* field = into.Data();
  for (size_t i = 0; i < count; i++, field += OUTCOME_FIELDS) outcome_write(&outcomes[i], field);
  return Number(info, static_cast<double>(count));
}

// claim(id): the descriptor, JavaScript's from now on, or -1 where none waits to be claimed.
Value Claim(const CallbackInfo& info) {
  return Number(info, attempt_claim(static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue())));
}

// handOver(id): before a claimed descriptor is given to a net.Socket; disown it after that.
Value HandOver(const CallbackInfo& info) {
  attempt_hand_over(static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

// disown(id): ends a claim; the descriptor is the caller's alone, in no ledger. -1 where there is no such claim.
Value Disown(const CallbackInfo& info) {
  return Number(info, attempt_disown(static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue())));
}

Value ReadLedger(const CallbackInfo& info) {
  auto items = Napi::Object::New(info.Env());
  for (uint32_t i = 0; i < LEDGER_ITEMS; i++) {
    auto item = static_cast<ledger_item>(i);
    items.Set(ledger_name(item), static_cast<double>(ledger_read(item)));
  }
  return items;
}

Value Socket(const CallbackInfo& info) { return Result(info, sys_socket(Int(info, 0), Int(info, 1), 0)); }

Value SetNonblocking(const CallbackInfo& info) {
  int flags = sys_fcntl(Int(info, 0), F_GETFL, 0);
  if (flags < 0) return Result(info, -1);
  bool on = info[1].As<Napi::Boolean>().Value();
  return Result(info, sys_fcntl(Int(info, 0), F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

// 1 nonblocking, 0 blocking.
Value IsNonblocking(const CallbackInfo& info) {
  int flags = sys_fcntl(Int(info, 0), F_GETFL, 0);
  return Result(info, flags < 0 ? -1 : (flags & O_NONBLOCK) != 0);
}

template <int (*call)(int, const sockaddr*, socklen_t)>
Value WithAddress(const CallbackInfo& info) {
  auto bytes = info[1].As<Napi::Uint8Array>();
  // As it is, whatever its length: the kernel is to judge it.
  auto* address = reinterpret_cast<const sockaddr*>(bytes.Data());
  return Result(info, call(Int(info, 0), address, static_cast<socklen_t>(bytes.ByteLength())));
}

// The name as bytes, or a negative errno.
template <int (*call)(int, sockaddr*, socklen_t*)>
Value NameOf(const CallbackInfo& info) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (call(Int(info, 0), reinterpret_cast<sockaddr*>(&address), &length) < 0) return Result(info, -1);
  return Napi::Buffer<uint8_t>::Copy(info.Env(), reinterpret_cast<uint8_t*>(&address), length);
}

Value SetOption(const CallbackInfo& info) {
  std::string name = info[1].As<Napi::String>();
  return Number(info, -socket_option_set(Int(info, 0), name.c_str(), info[2].As<Napi::Number>().DoubleValue()));
}

Value BindToDevice(const CallbackInfo& info) {
  std::string device = info[1].As<Napi::String>();
  return Number(info, -socket_bind_to_device(Int(info, 0), device.c_str()));
}

Value ListenDrops(const CallbackInfo& info) { return Number(info, static_cast<double>(socket_dropped(Int(info, 0)))); }

Value Listen(const CallbackInfo& info) { return Result(info, sys_listen(Int(info, 0), Int(info, 1))); }

Value SocketError(const CallbackInfo& info) {
  int error = 0;
  socklen_t length = sizeof error;
  if (sys_getsockopt(Int(info, 0), SOL_SOCKET, SO_ERROR, &error, &length) < 0) return Result(info, -1);
  return Number(info, -error);
}

// unread(fd): how many bytes wait to be read, or -errno. Reads none of them.
Value Unread(const CallbackInfo& info) {
  int bytes = 0;
  return Result(info, sys_unread(Int(info, 0), &bytes) < 0 ? -1 : bytes);
}

Value DescriptorLimit(const CallbackInfo& info) { return Number(info, static_cast<double>(sys_descriptor_limit())); }

Value CloseDescriptor(const CallbackInfo& info) { return Result(info, sys_close(Int(info, 0))); }

Value Inject(const CallbackInfo& info) {
  std::string name = info[0].As<Napi::String>();
  call kind = call_by_name(name.c_str());
  if (kind == CALL_NONE) return Number(info, -EINVAL);
  seam_inject(kind, info[1].As<Napi::Number>().Uint32Value(), Int(info, 2), info[3].As<Napi::Number>().Uint32Value());
  return Number(info, 0);
}

Value Jitter(const CallbackInfo& info) {
  seam_jitter(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Value ClearFaults(const CallbackInfo& info) {
  seam_clear();
  return info.Env().Undefined();
}

Value CallsSeen(const CallbackInfo& info) {
  std::string name = info[0].As<Napi::String>();
  return Number(info, seam_calls(call_by_name(name.c_str())));
}

// An array of as many names, for an enum that JavaScript knows by them.
template <typename NameOfOne>
void ExportNames(Napi::Object exports, const char* as, size_t count, NameOfOne name_of) {
  auto names = Napi::Array::New(exports.Env(), count);
  for (uint32_t i = 0; i < count; i++) names[i] = name_of(i);
  exports.Set(as, names);
}

// What both sides must agree on is written once, on this side.
void ExportFormats(Napi::Object exports) {
  ExportNames(exports, "requestFields", REQUEST_FIELDS, request_field_name);
  ExportNames(exports, "outcomeFields", OUTCOME_FIELDS, outcome_field_name);
  ExportNames(exports, "stateNames", ATTEMPT_STATES,
              [](uint32_t i) { return attempt_state_name(static_cast<attempt_state>(i)); });
  ExportNames(exports, "callNames", CALL_COUNT, [](uint32_t i) { return call_name(static_cast<call>(i)); });
  ExportNames(exports, "optionNames", socket_options_count(), socket_option_name);
  auto flags = Napi::Object::New(exports.Env());
  for (auto* flag = attempt_flag_names; flag->name != nullptr; flag++) flags.Set(flag->name, static_cast<double>(flag->bit));
  exports.Set("attemptFlags", flags);
  exports.Set("slots", static_cast<double>(1 << ATTEMPT_INDEX_BITS));
}

template <Value (*function)(const CallbackInfo&)>
void Export(Napi::Object exports, const char* name, Environment* environment) {
  exports.Set(name, Napi::Function::New<function>(exports.Env(), name, environment));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  static std::once_flag once;
  static int prime_error = 0;
  std::call_once(once, [] { prime_error = lane_prime(); });
  auto* environment = new Environment;
  environment->box = outbox_open(Ring, environment);
  if (prime_error != 0 || environment->box == nullptr) {
    delete environment;
    Napi::Error::New(env, "cancelpoint: no thread or memory left to start with").ThrowAsJavaScriptException();
    return exports;
  }
  napi_add_env_cleanup_hook(env, Close, environment);

  Export<OnOutcomes>(exports, "onOutcomes", environment);
  Export<Hold>(exports, "hold", environment);
  Export<Reserve>(exports, "reserve", environment);
  Export<OpenLanes>(exports, "openLanes", environment);
  Export<SubmitToLanes>(exports, "submitToLanes", environment);
  Export<StartReactors>(exports, "startReactors", environment);
  Export<StopReactors>(exports, "stopReactors", environment);
  Export<SubmitToReactors>(exports, "submitToReactors", environment);
  Export<Forfeit>(exports, "forfeit", environment);
  Export<Cancel>(exports, "cancel", environment);
  Export<Drain>(exports, "drain", environment);
  Export<Claim>(exports, "claim", environment);
  Export<HandOver>(exports, "handOver", environment);
  Export<Disown>(exports, "disown", environment);
  Export<ReadLedger>(exports, "ledger", environment);
  Export<Socket>(exports, "socket", environment);
  Export<SetNonblocking>(exports, "setNonblocking", environment);
  Export<IsNonblocking>(exports, "isNonblocking", environment);
  Export<WithAddress<sys_bind>>(exports, "bind", environment);
  Export<WithAddress<sys_connect>>(exports, "connectNow", environment);
  Export<NameOf<sys_getpeername>>(exports, "getpeername", environment);
  Export<NameOf<sys_getsockname>>(exports, "getsockname", environment);
  Export<SetOption>(exports, "setOption", environment);
  Export<BindToDevice>(exports, "bindToDevice", environment);
  Export<ListenDrops>(exports, "listenDrops", environment);
  Export<Listen>(exports, "listen", environment);
  Export<SocketError>(exports, "socketError", environment);
  Export<Unread>(exports, "unread", environment);
  Export<DescriptorLimit>(exports, "descriptorLimit", environment);
  Export<CloseDescriptor>(exports, "close", environment);
  Export<Inject>(exports, "inject", environment);
  Export<Jitter>(exports, "jitter", environment);
  Export<ClearFaults>(exports, "clearFaults", environment);
  Export<CallsSeen>(exports, "callsSeen", environment);
  ExportFormats(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(cancelpoint, Init)
