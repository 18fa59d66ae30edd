// A judge behind an address.
#pragma once

#include <memory>

#include "alambic/remote/writer.h"
#include "alambic/teacher/reward.h"
#include "alambic/teacher/rubric.h"

namespace alambic {

/// As Judge (judge.h), over a server of chats. Where the server gives the first token's candidates,
/// the score is the expected value over the rubric's words among them; where it does not, that of
/// the word that the answer begins with. An answer that begins with none of the words, or
/// candidates that give them less than `min_mass` together, is a dropped score. Errors: those of
/// Client.
class ChatJudge : public Reward {
 public:
  ChatJudge(std::unique_ptr<RemoteWriter> writer, Rubric rubric, double min_mass = 0.05);

  std::vector<Score> score(const std::vector<Attempt>& attempts) const override;
  bool needs_expected() const override { return rubric_.needs_reference(); }

 private:
  std::vector<Score> ask(const std::vector<Attempt>& attempts, bool swapped) const;
  Score score_of(const WrittenText& written) const;

  std::unique_ptr<RemoteWriter> writer_;
  Rubric rubric_;
  double min_mass_;
};

}  // namespace alambic
