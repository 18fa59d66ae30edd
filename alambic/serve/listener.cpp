#include "alambic/serve/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/serve/api_error.h"
#include "alambic/serve/microhttpd_library.h"

namespace alambic {

namespace {

// What wakes a connection, and outlives it: who calls it may not know that the client has left.
struct Bell {
  std::mutex mutex;
  MHD_Connection* connection = nullptr;  // null: gone
  bool suspended = false, rung = false;

  void ring() {
    const std::lock_guard lock(mutex);
    rung = true;
    if (!suspended || connection == nullptr) return;
    suspended = false;
    microhttpd_library().resume_connection(connection);
  }
  // Suspends the connection unless it was rung since the last time; true when it is suspended.
  bool wait() {
    const std::lock_guard lock(mutex);
    if (rung) {
      rung = false;
      return false;
    }
    suspended = true;
    microhttpd_library().suspend_connection(connection);
    return true;
  }
  void forget() {
    const std::lock_guard lock(mutex);
    connection = nullptr;
  }
};

// One request on a connection.
struct Exchange {
  ServerRequest call;
  std::shared_ptr<Bell> bell = std::make_shared<Bell>();
  int socket = -1;
  std::optional<HttpAnswer> refusal;  // where the body need not be read
  std::unique_ptr<PendingAnswer> pending;
  std::string unsent;  // of a stream
  size_t sent = 0;
  bool read_all = false;
  std::atomic<bool> left = false;
};

std::string header(MHD_Connection* connection, const char* name, MHD_ValueKind kind) {
  const char* value = microhttpd_library().lookup_connection_value(connection, kind, name);
  return value == nullptr ? "" : value;
}

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { microhttpd_library().destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, ResponseDeleter>;

MHD_Result queue(MHD_Connection* connection, const HttpAnswer& answer) {
  const MicrohttpdLibrary& http = microhttpd_library();
  const Response response(http.create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY));
  if (response == nullptr) return MHD_NO;
  http.add_response_header(response.get(), "Content-Type", answer.content_type.c_str());
  for (const auto& field : answer.headers) {
    http.add_response_header(response.get(), field.first.c_str(), field.second.c_str());
  }
  return http.queue_response(connection, static_cast<unsigned>(answer.status), response.get());
}

// The next bytes of a stream; suspends the connection where there are none yet.
ssize_t read_stream(void* of_exchange, uint64_t, char* buffer, size_t size) {
  auto& exchange = *static_cast<Exchange*>(of_exchange);
  try {
    while (exchange.sent == exchange.unsent.size()) {
      exchange.unsent.clear();
      exchange.sent = 0;
      if (exchange.left) return MHD_CONTENT_READER_END_WITH_ERROR;
      if (exchange.read_all) return MHD_CONTENT_READER_END_OF_STREAM;
      exchange.read_all = !exchange.pending->read(exchange.unsent);
      if (exchange.unsent.empty() && !exchange.read_all && exchange.bell->wait()) return 0;
    }
  } catch (const std::exception& error) {
    warn("a stream ends early: {}", error.what());
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  const size_t count = std::min(size, exchange.unsent.size() - exchange.sent);
  std::copy_n(exchange.unsent.data() + exchange.sent, count, buffer);
  exchange.sent += count;
  return static_cast<ssize_t>(count);
}

MHD_Result queue_stream(MHD_Connection* connection, Exchange& exchange) {
  const MicrohttpdLibrary& http = microhttpd_library();
  const Response response(http.create_response_from_callback(MHD_SIZE_UNKNOWN, size_t{16} << 10,
                                                             read_stream, &exchange, nullptr));
  if (response == nullptr) return MHD_NO;
  http.add_response_header(response.get(), "Content-Type", "text/event-stream; charset=utf-8");
  http.add_response_header(response.get(), "Cache-Control", "no-cache");
  http.add_response_header(response.get(), "X-Accel-Buffering", "no");
  return http.queue_response(connection, 200, response.get());
}

sockaddr_in address_of(const ListenerOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  const std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw input_error("'{}' is no IPv4 address to listen on", options.host)
        .with_hint("127.0.0.1 for this machine alone, 0.0.0.0 for all of its addresses");
  }
  return address;
}

}  // namespace

struct Listener::State {
  ListenerOptions options;
  HttpService service;
  MHD_Daemon* daemon = nullptr;
  std::mutex mutex;  // of what follows
  std::list<Exchange*> exchanges;
  bool stopping = false;
  std::condition_variable stop;
  std::thread watch;

  MHD_Result begin(MHD_Connection* connection, const char* url, const char* method, void** slot);
  MHD_Result answer(MHD_Connection* connection, Exchange& exchange);
  void end(Exchange* exchange);
  void watch_clients();
  // What libmicrohttpd calls.
  static MHD_Result on_access(void* of_state, MHD_Connection* connection, const char* url,
                              const char* method, const char* version, const char* data,
                              size_t* size, void** slot);
  static void on_completed(void* of_state, MHD_Connection* connection, void** slot,
                           MHD_RequestTerminationCode code);
};

MHD_Result Listener::State::begin(MHD_Connection* connection, const char* url, const char* method,
                                  void** slot) {
  auto exchange = std::make_unique<Exchange>();
  exchange->call.method = method;
  exchange->call.path = url;
  exchange->call.accept = header(connection, "Accept", MHD_HEADER_KIND);
  exchange->call.authorization = header(connection, "Authorization", MHD_HEADER_KIND);
  exchange->call.host = header(connection, "Host", MHD_HEADER_KIND);
  exchange->call.query = [connection](const char* name) -> std::optional<std::string> {
    const char* value =
        microhttpd_library().lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  exchange->bell->connection = connection;
  const auto* info =
      microhttpd_library().get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info != nullptr) exchange->socket = info->connect_fd;
  exchange->refusal = service.refuse(exchange->call);
  // Said before the body comes, so that a client need not send it (Expect: 100-continue).
  const std::string length = header(connection, "Content-Length", MHD_HEADER_KIND);
  const bool is_long = std::strtoull(length.c_str(), nullptr, 10) >
                       static_cast<unsigned long long>(options.body_bytes);
  if (!exchange->refusal && is_long) exchange->refusal = body_too_long(options.body_bytes);
  const std::lock_guard lock(mutex);
  *slot = exchange.get();
  exchanges.push_back(exchange.release());
  return MHD_YES;
}

MHD_Result Listener::State::answer(MHD_Connection* connection, Exchange& exchange) {
  if (exchange.left) return MHD_NO;
  if (exchange.refusal) return queue(connection, *exchange.refusal);
  if (!exchange.pending) {
    HttpReply reply = service.reply(exchange.call, [bell = exchange.bell] { bell->ring(); });
    if (const auto* whole = std::get_if<HttpAnswer>(&reply)) return queue(connection, *whole);
    {
      const std::lock_guard lock(mutex);
      exchange.pending = std::move(std::get<std::unique_ptr<PendingAnswer>>(reply));
    }
    if (exchange.pending->streams()) return queue_stream(connection, exchange);
  }
  while (true) {
    if (const std::optional<HttpAnswer> whole = exchange.pending->whole()) {
      return queue(connection, *whole);
    }
    if (exchange.bell->wait()) return MHD_YES;
  }
}

void Listener::State::end(Exchange* exchange) {
  exchange->bell->forget();
  if (exchange->pending) exchange->pending->cancel();
  {
    const std::lock_guard lock(mutex);
    exchanges.remove(exchange);
  }
  delete exchange;
}

// libmicrohttpd does not look at the sockets of suspended connections: a client that left would
// keep its place until its answer is complete.
void Listener::State::watch_clients() {
  std::unique_lock lock(mutex);
  while (!stop.wait_for(lock, std::chrono::milliseconds(25), [&] { return stopping; })) {
    for (Exchange* exchange : exchanges) {
      if (exchange->left || !exchange->pending || exchange->socket < 0) continue;
      pollfd socket{.fd = exchange->socket, .events = POLLRDHUP, .revents = 0};
      if (::poll(&socket, 1, 0) <= 0) continue;
      exchange->left = true;
      exchange->pending->cancel();
      exchange->bell->ring();
    }
  }
}

MHD_Result Listener::State::on_access(void* of_state, MHD_Connection* connection, const char* url,
                                      const char* method, const char*, const char* data,
                                      size_t* size, void** slot) {
  auto& state = *static_cast<State*>(of_state);
  try {
    if (*slot == nullptr) return state.begin(connection, url, method, slot);
    auto& exchange = *static_cast<Exchange*>(*slot);
    if (*size == 0) return state.answer(connection, exchange);
    const size_t limit = static_cast<size_t>(state.options.body_bytes);
    if (!exchange.refusal && exchange.call.body.size() + *size > limit) {
      exchange.refusal = body_too_long(state.options.body_bytes);
      exchange.call.body = {};
    }
    // The rest of a refused body is read and dropped: a client that writes does not read yet.
    if (!exchange.refusal) exchange.call.body.append(data, *size);
    *size = 0;
    return MHD_YES;
  } catch (const std::exception& error) {
    warn("cannot answer {} {}: {}", method, url, error.what());
    return MHD_NO;
  }
}

void Listener::State::on_completed(void* of_state, MHD_Connection*, void** slot,
                                   MHD_RequestTerminationCode) {
  if (*slot == nullptr) return;
  static_cast<State*>(of_state)->end(static_cast<Exchange*>(*slot));
  *slot = nullptr;
}

Listener::Listener(const ListenerOptions& options, HttpService service)
    : state_(std::make_unique<State>()) {
  const MicrohttpdLibrary& http = microhttpd_library();
  state_->options = options;
  state_->service = std::move(service);
  const sockaddr_in address = address_of(options);
  errno = 0;
  state_->daemon = http.start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, static_cast<uint16_t>(options.port),
      nullptr, nullptr, &State::on_access, state_.get(), MHD_OPTION_SOCK_ADDR, &address,
      MHD_OPTION_NOTIFY_COMPLETED, &State::on_completed, state_.get(), MHD_OPTION_CONNECTION_LIMIT,
      static_cast<unsigned>(options.connections), MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(options.timeout_seconds), MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
      MHD_OPTION_END);
  if (state_->daemon == nullptr) {
    throw environment_error("cannot listen on {}:{}: {}", options.host, options.port,
                            errno == 0 ? "libmicrohttpd does not say why" : std::strerror(errno))
        .with_hint("another program may listen there: choose another --port");
  }
  state_->watch = std::thread([state = state_.get()] { state->watch_clients(); });
}

Listener::~Listener() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    // A daemon stops when no connection is suspended.
    for (Exchange* exchange : state_->exchanges) {
      exchange->left = true;
      if (exchange->pending) exchange->pending->cancel();
      exchange->bell->ring();
    }
  }
  state_->stop.notify_all();
  state_->watch.join();
  microhttpd_library().stop_daemon(state_->daemon);
}

int64_t Listener::port() const {
  const auto* info =
      microhttpd_library().get_daemon_info(state_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return info == nullptr ? state_->options.port : info->port;
}

void Listener::close_door() {
  const MHD_socket socket = microhttpd_library().quiesce_daemon(state_->daemon);
  if (socket != MHD_INVALID_SOCKET) ::close(socket);
}

int64_t Listener::open_calls() const {
  const std::lock_guard lock(state_->mutex);
  return std::ssize(state_->exchanges);
}

}  // namespace alambic
