#pragma once

#include <string>

namespace alambic {

/// Times attention, learning, grading, decoding, the loss and the update of a random model of this
/// shape on the test device, and prints them as a JSON object with the model's sizes
/// (tools/gpu-check compares them with what the hardware allows). "tiny": to see that it works;
/// "8b": layers of Qwen3-8B, eight of them.
int print_speed(const std::string& shape);

}  // namespace alambic
