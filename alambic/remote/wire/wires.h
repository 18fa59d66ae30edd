// One wire a file.
#pragma once

#include <memory>

#include "alambic/remote/wire/grade_wire.h"

namespace alambic {

std::unique_ptr<GradeWire> vllm_wire();
std::unique_ptr<GradeWire> llamacpp_wire(const Tokenizer& tokenizer);
std::unique_ptr<GradeWire> sglang_wire();
std::unique_ptr<GradeWire> echo_wire();
std::unique_ptr<GradeWire> alambic_wire(const Tokenizer& tokenizer);

}  // namespace alambic
