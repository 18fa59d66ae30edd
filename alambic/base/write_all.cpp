#include "alambic/base/write_all.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace alambic {
namespace {

// Holds the signal back from this thread; one that came meanwhile is dropped at the end.
class NoSizeSignal {
 public:
  NoSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoSizeSignal() {
    const timespec now{};
    if (sigismember(&before_, SIGXFSZ) == 0) ::sigtimedwait(&signal_, nullptr, &now);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSizeSignal(const NoSizeSignal&) = delete;
  NoSizeSignal& operator=(const NoSizeSignal&) = delete;

 private:
  sigset_t signal_{}, before_{};
};

}  // namespace

int write_all(int descriptor, std::string_view bytes) {
  const NoSizeSignal no_signal;
  int reason = 0;
  while (!bytes.empty() && reason == 0) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      reason = errno;
    }
  }
  return reason;
}

}  // namespace alambic
