// A client of the server under test: plain sockets, so that a test can leave in the middle, read
// slowly or send what no library would.
#pragma once

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <string>

namespace alambic {

struct HttpResult {
  int status = 0;  // 0: the connection ended without an answer
  std::string head, body;
  bool complete = false;  // a chunked body had its end, another as many bytes as were said

  std::string header(const std::string& name) const {
    const size_t at = head.find("\r\n" + name + ": ");
    if (at == head.npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class HttpConnection {
 public:
  explicit HttpConnection(int64_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~HttpConnection() { ::close(socket_); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool connected() const { return connected_; }

  void send_text(const std::string& text) const {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
  }

  void send_call(const std::string& method, const std::string& path, const std::string& body,
                 const std::string& headers = "") const {
    send_text(
        fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    "Content-Length: {}\r\n{}\r\n{}",
                    method, path, body.size(), headers, body));
  }

  /// Bytes as they come; "" at the end.
  std::string read_some() const {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    return count > 0 ? std::string(buffer.data(), static_cast<size_t>(count)) : "";
  }

  /// Everything up to the connection's end.
  HttpResult read_all() const {
    std::string all;
    for (std::string part = read_some(); !part.empty(); part = read_some()) all += part;
    HttpResult result;
    const size_t end = all.find("\r\n\r\n");
    if (!all.starts_with("HTTP/1.1 ") || end == all.npos) return result;
    result.status = std::stoi(all.substr(9, 3));
    result.head = all.substr(0, end + 2);
    result.body = all.substr(end + 4);
    if (result.header("Transfer-Encoding") == "chunked") {
      unchunk(result);
    } else {
      result.complete = std::to_string(result.body.size()) == result.header("Content-Length");
    }
    return result;
  }

 private:
  static void unchunk(HttpResult& result) {
    std::string whole;
    size_t at = 0;
    while (true) {
      const size_t line = result.body.find("\r\n", at);
      if (line == result.body.npos) break;
      const size_t size = std::stoul(result.body.substr(at, line - at), nullptr, 16);
      if (size == 0) {
        result.complete = true;
        break;
      }
      whole += result.body.substr(line + 2, size);
      at = line + 2 + size + 2;
    }
    result.body = whole;
  }

  int socket_;
  bool connected_ = false;
};

inline HttpResult http(int64_t port, const std::string& method, const std::string& path,
                       const std::string& body = "", const std::string& headers = "") {
  const HttpConnection connection(port);
  connection.send_call(method, path, body, headers);
  return connection.read_all();
}

}  // namespace alambic
