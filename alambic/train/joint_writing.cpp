#include "alambic/train/joint_writing.h"

#include "alambic/train/rank_exchange.h"

namespace alambic {

std::vector<Completion> write_on_ranks(const World& world, const Model& student,
                                       const std::vector<Request>& requests, int64_t copies,
                                       const EngineOptions& engine) {
  // Ranks that write together are neighbours, and have the prompts of all of them.
  const int64_t together = engine.ranks ? engine.ranks->size() : 1;
  const int64_t group = world.rank() / together, groups = world.size() / together;
  const int64_t prompts = std::ssize(requests) / copies;
  const std::vector<Request> own(requests.begin() + prompts * group / groups * copies,
                                 requests.begin() + prompts * (group + 1) / groups * copies);
  std::vector<Completion> written = generate(student, own, engine);
  if (engine.ranks && !engine.ranks->leads()) written.clear();  // the first one tells them
  return all_completions(world, std::move(written));
}

}  // namespace alambic
