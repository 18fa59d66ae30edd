#include "alambic/serve/answer_choice.h"

#include "alambic/serve/api_error.h"

namespace alambic {

void AnswerChoice::finish(const char* reason) {
  whole_ += text_.finish();
  finish_reason_ = text_.stopped_by() ? "stop" : reason;
}

void AnswerChoice::update() {
  if (!finish_reason_.empty()) return;
  std::vector<WrittenToken> written;
  const JobEnd end = job_->take(written);
  for (WrittenToken& token : written) {
    whole_ += text_.push(token.id);
    tokens_.push_back(std::move(token));
    if (!text_.stopped_by()) continue;
    job_->cancel();  // what it writes from here on is not wanted
    finish_reason_ = "stop";
    return;
  }
  switch (end) {
    case JobEnd::running:
      return;
    case JobEnd::stop_token:
      return finish("stop");
    case JobEnd::length:
      return finish("length");
    case JobEnd::failed:
      throw ApiError(job_->cancelled() ? 503 : 500, job_->failure());
  }
}

std::optional<AnswerChoice::Part> AnswerChoice::next_part() {
  const bool ended = !finish_reason_.empty();
  if (given_end_ || (!ended && given_text_ == whole_.size())) return std::nullopt;
  Part part{.text = whole_.substr(given_text_),
            .first_token = given_tokens_,
            .end_token = tokens_.size(),
            .last = ended};
  given_text_ = whole_.size();
  given_tokens_ = tokens_.size();
  given_end_ = ended;
  return part;
}

}  // namespace alambic
