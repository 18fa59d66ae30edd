// An HTTP server of a test's own on 127.0.0.1, which can also fail in every way that servers do.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace alambic {

struct ServedRequest {
  std::string method, path, head, body;  ///< head: all header lines, as they came
};

struct ServedReply {
  int status = 200;
  std::string body;
  std::vector<std::string> headers = {"Content-Type: application/json"};
  bool hang = false;               ///< nothing comes
  size_t cut = std::string::npos;  ///< bytes after which the connection is closed
  int drip_ms = 0;                 ///< between two bytes
  std::string raw = {};            ///< in place of all of this
};

/// A thread a connection; each is closed after its reply.
class LoopbackServer {
 public:
  using Handler = std::function<ServedReply(const ServedRequest&)>;

  explicit LoopbackServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&place), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(place.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~LoopbackServer() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string address() const { return fmt::format("http://127.0.0.1:{}", port_); }
  /// All requests so far.
  std::vector<ServedRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  bool readable(int socket) const {
    pollfd one{.fd = socket, .events = POLLIN, .revents = 0};
    while (!stopping_) {
      if (::poll(&one, 1, 20) > 0) return true;
    }
    return false;
  }

  void accept_all() {
    while (readable(listener_)) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket >= 0) threads_.emplace_back([this, socket] { serve(socket); });
    }
  }

  void serve(int socket) {
    ServedRequest request;
    if (read(socket, request)) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      write(socket, handler_(request));
    }
    ::close(socket);
  }

  bool read(int socket, ServedRequest& request) const {
    std::string text;
    size_t head = std::string::npos, length = 0;
    while (head == std::string::npos || text.size() < head + 4 + length) {
      char buffer[65536];
      if (!readable(socket)) return false;
      const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      text.append(buffer, static_cast<size_t>(count));
      if (head != std::string::npos) continue;
      head = text.find("\r\n\r\n");
      const size_t at = text.find("Content-Length: ");
      if (head != std::string::npos && at < head) length = std::stoul(text.substr(at + 16));
    }
    const size_t first = text.find(' '), second = text.find(' ', first + 1);
    request.method = text.substr(0, first);
    request.path = text.substr(first + 1, second - first - 1);
    request.head = text.substr(0, head);
    request.body = text.substr(head + 4);
    return true;
  }

  void write(int socket, const ServedReply& reply) const {
    std::string text = reply.raw;
    if (text.empty()) {
      text = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n",
                         reply.status, reply.body.size());
      for (const std::string& header : reply.headers) text += header + "\r\n";
      text += "\r\n" + reply.body;
    }
    text.resize(std::min(text.size(), reply.cut));
    while (reply.hang && !stopping_ && !is_gone(socket)) pause(5);
    const size_t piece = reply.drip_ms > 0 ? 1 : text.size();
    for (size_t at = 0; at < text.size() && !stopping_; at += piece) {
      if (reply.drip_ms > 0) pause(reply.drip_ms);
      size_t sent = 0;
      while (sent < piece) {
        const ssize_t count = ::send(socket, text.data() + at + sent, piece - sent, MSG_NOSIGNAL);
        if (count <= 0) return;
        sent += static_cast<size_t>(count);
      }
    }
  }

  static bool is_gone(int socket) {
    char byte = 0;
    return ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  static void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

  Handler handler_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace alambic
