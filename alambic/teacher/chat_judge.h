// A judge behind an address.
#pragma once

#include <memory>

#include "alambic/remote/writer.h"
#include "alambic/teacher/reward.h"
#include "alambic/teacher/rubric.h"

namespace alambic {

/// As Judge (judge.h), over a server of chats. Where the server gives the first token's candidates,
/// the score is the expected value over the rubric's words among them; where it does not, that of
/// the word that the answer begins with, or with several `samples` the mean of those of so many
/// drawn answers. An answer that begins with none of the words, more than half of the drawn ones
/// that do, or candidates that give the words less than `min_mass` together, is a dropped score.
/// Errors: those of Client.
class ChatJudge : public Reward {
 public:
  ChatJudge(std::unique_ptr<RemoteWriter> writer, Rubric rubric, int64_t samples = 1,
            double min_mass = 0.05);

  std::vector<Score> score(const std::vector<Attempt>& attempts) const override;
  bool needs_expected() const override { return rubric_.needs_reference(); }

 private:
  std::vector<Score> ask(const std::vector<Attempt>& attempts, bool swapped) const;
  std::vector<WrittenText> write(const std::vector<WriteRequest>& requests) const;
  Score score_of(const WrittenText& written) const;
  std::vector<Score> draw(const std::vector<WriteRequest>& requests) const;

  std::unique_ptr<RemoteWriter> writer_;
  Rubric rubric_;
  int64_t samples_;
  double min_mass_;
};

}  // namespace alambic
