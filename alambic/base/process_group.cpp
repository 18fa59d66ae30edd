#include "alambic/base/process_group.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include "alambic/base/error.h"

namespace alambic {
namespace {

using Clock = std::chrono::steady_clock;

// A handler can reach nothing but a global.
volatile std::sig_atomic_t caught_signal = 0;
void catch_signal(int signal) { caught_signal = signal; }

/// SIGTERM and SIGINT are noted while this object lives.
struct CaughtSignals {
  struct sigaction term {
  }, interrupt{};

  CaughtSignals() {
    caught_signal = 0;
    struct sigaction action {};
    action.sa_handler = catch_signal;  // without SA_RESTART: poll ends
    ::sigaction(SIGTERM, &action, &term);
    ::sigaction(SIGINT, &action, &interrupt);
  }
  ~CaughtSignals() {
    ::sigaction(SIGTERM, &term, nullptr);
    ::sigaction(SIGINT, &interrupt, nullptr);
  }
  CaughtSignals(const CaughtSignals&) = delete;
  CaughtSignals& operator=(const CaughtSignals&) = delete;
};

[[noreturn]] void fail(const char* what) {
  throw environment_error("cannot start the processes of a job: {}: {}", what,
                          std::strerror(errno));
}

/// A started process; its output in lines.
struct Child {
  pid_t process = 0;
  std::string name, line;
  int output = -1;
  std::optional<int> code;  // once it has ended
  Clock::time_point ended;

  bool failed(int resumable) const { return code && *code != 0 && *code != resumable; }
};

/// Our environment with variables in the place of those of the same name, for execve.
struct Environment {
  std::vector<std::string> texts;
  std::vector<char*> pointers;

  explicit Environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      bool replaced = false;
      for (const auto& [name, value] : variables) replaced |= text.starts_with(name + "=");
      if (!replaced) texts.push_back(text);
    }
    for (const auto& [name, value] : variables) texts.push_back(fmt::format("{}={}", name, value));
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
};

Child start(const GroupProcess& what) {
  Environment environment(what.variables);
  std::vector<char*> words;
  for (const std::string& word : what.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::array<int, 2> ends = {-1, -1};
  if (!what.name.empty() && ::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) fail("fork");
  if (process == 0) {
    ::setpgid(0, 0);  // Ctrl-C reaches it through us alone
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    if (ends[1] >= 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
    }
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGINT, SIG_DFL);
    ::execve(words.front(), words.data(), environment.pointers.data());
    ::_exit(127);
  }
  ::setpgid(process, process);
  if (ends[1] >= 0) {
    ::close(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  return {.process = process, .name = what.name, .output = ends[0]};
}

void write_line(Child& child) {
  const std::string text = fmt::format("[{}] {}\n", child.name, child.line);
  child.line.clear();
  const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(ignored);
}

// Passes on what is there; closes at the end of the stream.
void forward(Child& child) {
  std::array<char, 4096> buffer;
  while (child.output >= 0) {
    const ssize_t count = ::read(child.output, buffer.data(), buffer.size());
    if (count < 0) return;
    if (count == 0) {
      if (!child.line.empty()) write_line(child);
      ::close(child.output);
      child.output = -1;
      return;
    }
    for (const char c : std::string(buffer.data(), static_cast<size_t>(count))) {
      if (c == '\n' || c == '\r') {
        if (!child.line.empty()) write_line(child);
      } else {
        child.line += c;
      }
    }
  }
}

bool reap(Child& child) {
  int status = 0;
  if (child.code || ::waitpid(child.process, &status, WNOHANG) != child.process) return false;
  child.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  child.ended = Clock::now();
  return true;
}

void signal_all(const std::vector<Child>& children, int signal) {
  for (const Child& child : children) {
    if (!child.code) ::kill(-child.process, signal);
  }
}

// Whether an exit code tells a reason of the process's own: not a lost connection to another, nor
// that it was killed.
bool tells_why(int code) {
  return code != static_cast<int>(Exit::environment) && code != 128 + SIGTERM &&
         code != 128 + SIGKILL;
}

// The process that failed first, or one within a second of it that knows the reason, or that was
// killed while the first lost a connection, to it perhaps.
std::optional<size_t> first_failure(const std::vector<Child>& children, int resumable) {
  std::vector<size_t> failed;
  for (size_t i = 0; i < children.size(); ++i) {
    if (children[i].failed(resumable)) failed.push_back(i);
  }
  if (failed.empty()) return std::nullopt;
  std::ranges::stable_sort(failed, {}, [&](size_t i) { return children[i].ended; });
  std::erase_if(failed, [&, first = children[failed[0]].ended](size_t i) {
    return children[i].ended - first >= std::chrono::seconds(1);
  });
  for (const size_t i : failed) {
    if (tells_why(*children[i].code)) return i;
  }
  for (const size_t i : failed) {
    if (*children[i].code == 128 + SIGKILL) return i;
  }
  return failed[0];
}

/// Waits until all have ended, and ends them where one has failed.
struct Watch {
  std::vector<Child>& children;
  int resumable;
  double grace;
  std::optional<Clock::time_point>
      failed_at;  // with the time in which the others fail by themselves
  bool asked = false, killed = false, interrupted = false;

  bool all_ended() const {
    for (const Child& child : children) {
      if (!child.code || child.output >= 0) return false;
    }
    return true;
  }

  void wait_a_little() const {
    std::vector<pollfd> streams;
    for (const Child& child : children) {
      if (child.output >= 0) streams.push_back({child.output, POLLIN, 0});
    }
    ::poll(streams.data(), streams.size(), 20);
  }

  void turn() {
    wait_a_little();
    for (Child& child : children) {
      forward(child);
      if (reap(child) && child.failed(resumable) && !failed_at) failed_at = Clock::now();
    }
    if (caught_signal != 0) {
      signal_all(children, caught_signal);
      caught_signal = 0;
      interrupted = true;
    }
    if (!failed_at) return;
    const double since = std::chrono::duration<double>(Clock::now() - *failed_at).count();
    if (since > 1 && !asked) {
      signal_all(children, SIGTERM);
      signal_all(children, SIGCONT);  // one that is stopped would not see it
      asked = true;
    }
    if (since > 1 + grace && !killed) {
      signal_all(children, SIGKILL);
      killed = true;
    }
  }
};

}  // namespace

GroupResult run_group(const std::vector<GroupProcess>& processes, int resumable, double grace) {
  const CaughtSignals signals;
  std::vector<Child> children;
  children.reserve(processes.size());
  for (const GroupProcess& process : processes) children.push_back(start(process));
  Watch watch{.children = children, .resumable = resumable, .grace = grace};
  while (!watch.all_ended()) watch.turn();
  GroupResult result{.interrupted = watch.interrupted};
  if (const auto first = first_failure(children, resumable)) {
    result.exit_code = *children[*first].code;
    result.failed = *first;
    return result;
  }
  for (const Child& child : children) result.stopped |= *child.code == resumable;
  return result;
}

}  // namespace alambic
