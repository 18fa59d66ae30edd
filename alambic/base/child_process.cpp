#include "alambic/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "alambic/base/error.h"

namespace alambic {
namespace {

constexpr size_t kMostErrors = 1024;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return number_; }
  void set(int number) { number_ = number; }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

[[noreturn]] void fail(const char* what) {
  throw environment_error("cannot run a command: {}: {}", what, std::strerror(errno));
}

struct Pipe {
  Descriptor read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
    read.set(ends[0]);
    write.set(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
};

// A file in memory, so that a command that does not read its input cannot make us wait.
int input_file(std::string_view input) {
  const int file = ::memfd_create("input", MFD_CLOEXEC);
  if (file < 0) fail("memory file");
  while (!input.empty()) {
    const ssize_t written = ::write(file, input.data(), input.size());
    if (written <= 0) {
      ::close(file);
      fail("memory file");
    }
    input.remove_prefix(written);
  }
  ::lseek(file, 0, SEEK_SET);
  return file;
}

// With the right to, a network namespace is enough; without it, one in a user namespace of ours.
bool take_network_away() {
  return ::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

// "NAME=value" of our environment and the additions, for execve.
struct Environment {
  std::vector<std::string> texts;
  std::vector<char*> pointers;

  explicit Environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    texts.reserve(variables.size());
    for (const auto& [name, value] : variables) {
      texts.push_back(name + "=" + value.substr(0, value.find('\0')));
    }
    for (char** variable = environ; *variable != nullptr; ++variable) pointers.push_back(*variable);
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
};

// Between fork and exec: only what is safe there, no allocation.
[[noreturn]] void become_command(const char* command, char* const* environment, bool network,
                                 int input, int output, int errors) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  if (!network) take_network_away();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const std::array<const char*, 4> arguments = {"sh", "-c", command, nullptr};
  ::execve("/bin/sh", const_cast<char* const*>(arguments.data()), environment);
  ::_exit(127);
}

// Appends what is there now, up to `most` bytes in all; the rest is read and thrown away. False at
// the end of the stream.
bool drain(int descriptor, std::string& text, size_t max, bool* cut) {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    const size_t kept = std::min<size_t>(count, max - text.size());
    text.append(buffer.data(), kept);
    if (cut != nullptr && kept < static_cast<size_t>(count)) {
      *cut = true;
      return true;
    }
  }
}

}  // namespace

ChildResult run_child(const std::string& command, std::string_view input, const ChildLimits& limits,
                      const std::vector<std::pair<std::string, std::string>>& variables) {
  Pipe output, errors;
  const Descriptor input_end(input_file(input));
  Environment environment(variables);
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    become_command(command.c_str(), environment.pointers.data(), limits.network, input_end.get(),
                   output.write.get(), errors.write.get());
  }
  ::setpgid(child, child);  // here too: whoever comes first
  output.write.close();
  errors.write.close();

  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(limits.seconds);
  ChildResult result;
  int status = 0;
  bool ended = false;
  while (!ended && !result.timed_out && !result.output_too_long) {
    std::array<pollfd, 2> wait = {{{output.read.get(), POLLIN, 0}, {errors.read.get(), POLLIN, 0}}};
    ::poll(wait.data(), wait.size(), 5);
    ended = ::waitpid(child, &status, WNOHANG) == child;
    if (!drain(output.read.get(), result.output, limits.output, &result.output_too_long)) {
      ::poll(nullptr, 0, ended ? 0 : 1);  // closed its output and runs on
    }
    drain(errors.read.get(), result.errors, kMostErrors, nullptr);
    result.timed_out = !ended && Clock::now() > deadline;
  }
  ::kill(-child, SIGKILL);
  if (!ended) ::waitpid(child, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

bool can_take_network_away() {
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) ::_exit(take_network_away() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace alambic
