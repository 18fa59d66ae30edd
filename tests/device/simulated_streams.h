// Streams and events of the simulated device. Kernels run where they are called, once what stands
// before them on their stream is done; copies that do not block run on a worker of the stream.
#pragma once

#include <c10/core/Stream.h>

#include <functional>

namespace alambic::simulated {

c10::Stream current_stream();
/// Makes it this thread's; returns the one before.
c10::Stream exchange_stream(c10::Stream stream);
/// What libtorch hands to kernels for a stream, and back.
void* handle_of(c10::Stream stream);
c10::Stream stream_of(void* handle);
/// One of three beside the default stream, in turn.
c10::Stream next_stream();

/// Runs `work` on the stream's worker, a moment after all that was given to the stream before.
void enqueue(c10::Stream stream, std::function<void()> work);
bool is_done(c10::Stream stream);
void wait_for(c10::Stream stream);
void wait_for_all_streams();

/// All that was given to a stream up to now.
void* record_event(void* event, c10::Stream stream);
/// What comes to the stream later waits for the event.
void let_wait(c10::Stream stream, const void* event);
bool is_done(const void* event);
void wait_for(const void* event);
void destroy_event(void* event);

}  // namespace alambic::simulated
