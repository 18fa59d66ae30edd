#include "alambic/jobs/rank_observer.h"

#include <unistd.h>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/report/run_files.h"

namespace alambic {

namespace {

// From a thread beside the one that hangs: nothing is unwound.
void end_process(const std::string& sentence) {
  const std::string text = "alambic: " + sentence + "; --resume goes on from the last checkpoint\n";
  const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(written >= 0 ? static_cast<int>(Exit::environment) : 1);
}

}  // namespace

RankObserver::RankObserver(std::shared_ptr<const World> world, const ShardingOptions& options)
    : world_(std::move(world)), watch_(*world_, options.rank_timeout, end_process) {
  if (options.profile) timeline_.emplace(world_->rank());
  world_->on_message([this](const std::string& doing, MessageEvent event) {
    watch_.see(doing, event);
    if (!timeline_) return;
    if (event == MessageEvent::sent) return timeline_->sent(doing);
    timeline_->span("waits", event == MessageEvent::waits ? doing : "");
    if (event == MessageEvent::there) timeline_->arrived(doing);
  });
}

RankObserver::~RankObserver() { world_->on_message({}); }

std::function<void(int64_t, const std::string&)> RankObserver::on_phase() {
  return [this](int64_t step, const std::string& phase) {
    watch_.at(step, phase);
    if (timeline_) timeline_->span("phases", phase);
  };
}

void RankObserver::write(const std::filesystem::path& run) {
  if (!timeline_) return;
  timeline_->span("phases", "");
  const fs::path folder = run / run_files::profile;
  make_folder(folder);
  timeline_->write(folder / fmt::format("rank-{:05}.json", world_->rank()));
}

}  // namespace alambic
