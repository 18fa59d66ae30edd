#pragma once

#include <functional>
#include <memory>

#include "alambic/teacher/cache.h"

namespace alambic {

/// Output heads on demand, one resident at a time: asking for another frees the one before, unless
/// it is still held elsewhere.
class HeadCache {
 public:
  using Load = std::function<Head()>;
  /// The number to ask for this head by.
  size_t add(Load load) {
    loads_.push_back(std::move(load));
    return loads_.size() - 1;
  }
  const Head& take(size_t number);

 private:
  std::vector<Load> loads_;
  Head resident_;
  size_t which_ = SIZE_MAX;
};

/// A teacher whose trunk never runs: hidden states come from a cache, its head from the head cache;
/// or top-K, which needs no head.
class CachedTeacher : public Teacher {
 public:
  CachedTeacher(std::shared_ptr<const TeacherCache> cache, std::shared_ptr<HeadCache> head_cache,
                HeadCache::Load load)
      : cache_(std::move(cache)),
        head_cache_(std::move(head_cache)),
        number_(head_cache_->add(std::move(load))) {}

  TeacherOutput evaluate(const Rollouts& rollouts) const override;

 private:
  std::shared_ptr<const TeacherCache> cache_;
  std::shared_ptr<HeadCache> head_cache_;
  size_t number_;
};

}  // namespace alambic
