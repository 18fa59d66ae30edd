// Passes of decoding that a device has recorded (kernels/device_graph.h): each is one launch, where
// it would be hundreds that the host gives one by one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "alambic/kernels/device_graph.h"

namespace alambic {

/// Recordings of one generation, whose weights and cache stay where they are, or they are
/// forgotten. There is one for each number of rows and each bound of the sequences' lengths; what
/// passes of as many rows read and write is always the same memory. A host that changes something
/// between passes writes it there.
class RecordedPasses {
 public:
  /// `slots` and `capacity` are the cache's. `name`: the family, for what is said of one whose
  /// passes cannot be recorded.
  RecordedPasses(at::Device device, int64_t slots, int64_t capacity, std::string name);

  /// To be called when the cache has moved: what has come often is recorded again.
  void forget();

  /// Rows of a pass over so many sequences: as many, or where passes are recorded one of few
  /// numbers. Where it is more, there are free slots.
  int64_t rows(int64_t sequences) const;
  /// What the passes to come read, [n, rows] int64, on the device.
  Tensor placed(const Tensor& numbers);

  /// pass(longest, drawn): enqueues it for sequences of at most `longest` entries, 0 where it may
  /// count them (DecodingPlaces::longest). It writes to `drawn`, [2, rows] float64.
  using OnePass = std::function<void(int64_t longest, const Tensor& drawn)>;
  /// A pass over sequences that have at most `longest` entries behind it: a recorded one, if it has
  /// come often enough to pay for that and can be recorded, else it is enqueued. Both do the same.
  void run(int64_t longest, const Tensor& drawn, const OnePass& pass);

 private:
  struct Recording {
    int64_t passes = 0;  // that were enqueued
    std::unique_ptr<kernels::DeviceGraph> graph;
  };
  // What is there for one number of rows.
  struct OfRows {
    Tensor numbers, drawn;
    std::map<int64_t, Recording> by_bound;
  };

  int64_t bound_of(int64_t longest) const;
  void record(Recording& recording, const std::function<void()>& pass);

  at::Device device_;
  int64_t slots_, capacity_;
  std::string name_;
  bool records_;
  std::map<int64_t, OfRows> by_rows_;
  const kernels::DeviceGraph* first_ = nullptr;  // whose memory the others use too
};

}  // namespace alambic
