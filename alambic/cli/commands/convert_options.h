#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct ConvertOptions : Options {
  std::string model, adapter, out;
  std::string type = "auto";
  std::string dtype = "auto";
  std::string split_size;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.text("model", model, "model folder or GGUF file to convert").required().model();
    v.text("adapter", adapter,
           "folder of a LoRA or DoRA adapter of the model, as PEFT writes it, to merge into the "
           "weights")
        .path();
    v.text("out", out, "what to write: a GGUF file when the name ends in .gguf, else a folder")
        .required()
        .path();
    v.text("type", type,
           "format of a GGUF file's matrices: f32, f16, bf16, q8_0, q4_0, q4_k, q6_k; "
           "mxfp4: of experts alone, as gpt-oss has them; auto: the model's own");
    v.text("split-size", split_size,
           "bytes of tensors, as 4G or 500M, beyond which a GGUF file becomes several: "
           "NAME-00001-of-00003.gguf and so on, as llama.cpp names them");
    v.text("dtype", dtype,
           "format of a folder's weights: float32, float16, bfloat16; auto: the "
           "model's own, float32 for a quantized one");
    v.flag("overwrite", overwrite, "replace what --out names");
  }
};

}  // namespace alambic
