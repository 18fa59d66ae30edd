#include "alambic/model/load.h"

#include <gtest/gtest.h>

#include <fstream>
#include <tuple>

#include "alambic/base/files.h"
#include "alambic/io/model_folder.h"
#include "tests/golden_models.h"
#include "tests/model_fixture.h"

namespace alambic::load_test {
namespace {

// A fresh folder with the golden Llama, for damaging.
fs::path copy_of_llama(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("alambic_load_" + name);
  fs::remove_all(folder);
  fs::copy(golden_folder("llama"), folder);
  return folder;
}

std::string error_of(const fs::path& folder) {
  try {
    load_model(folder, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << error.what();
    return error.what() + std::string(" / ") + error.hint();
  }
  return "no error";
}

void edit_config(const fs::path& folder, const std::function<void(Json&)>& edit) {
  Json config = read_json_object(folder / "config.json");
  edit(config);
  write_file(folder / "config.json", config.dump());
}

// Writes the weights again with the tensors that `edit` leaves.
void edit_weights(const fs::path& folder,
                  const std::function<void(std::vector<TensorView>&)>& edit) {
  const ModelFolder files = ModelFolder::open(folder);
  std::vector<TensorView> views = files.tensors();
  edit(views);
  write_safetensors(folder / "changed", views, {});
  fs::rename(folder / "changed", folder / "model.safetensors");
}

TEST(LoadModel, NamesAMissingTensor) {
  const fs::path folder = copy_of_llama("missing");
  edit_weights(folder, [](auto& views) {
    std::erase_if(views, [](const TensorView& view) { return view.name == "model.norm.weight"; });
  });
  EXPECT_NE(error_of(folder).find("model.norm.weight"), std::string::npos);
}

// "an incomplete download" for a whole model that torch.compile has saved.
TEST(LoadModel, NamesTheWrapperThatSavedAModel) {
  const fs::path folder = copy_of_llama("wrapped");
  edit_weights(folder, [](auto& views) {
    for (TensorView& view : views) view.name = "_orig_mod." + view.name;
  });
  EXPECT_NE(error_of(folder).find("take \"_orig_mod.\" off the names"), std::string::npos);
}

TEST(LoadModel, NamesAnUnexpectedTensor) {
  const fs::path folder = copy_of_llama("unexpected");
  edit_weights(folder, [](auto& views) { views.back().name = "model.layers.9.stranger"; });
  const std::string error = error_of(folder);
  EXPECT_TRUE(error.find("stranger") != std::string::npos ||
              error.find("missing") != std::string::npos)
      << error;
}

// The logits of the golden tokens, and what a folder's are from them.
double distance_from_golden(const fs::path& folder, const std::string& golden_name) {
  const at::NoGradGuard no_grad;
  const auto model = load_model(folder, {});
  const fs::path file = golden_folder(golden_name) / "golden.safetensors";
  const Packed input = {.tokens_N = golden(file, "tokens").flatten(), .offsets = {0, 16, 32}};
  const Tensor logits_NV = at::mm(model->hidden(Pass(input)), model->head().weight_VD.dense().t());
  return distance(logits_NV, golden(file, "logits").flatten(0, 1));
}

fs::path copy_of(const std::string& golden_name, const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("alambic_load_" + name);
  fs::remove_all(folder);
  fs::copy(golden_folder(golden_name), folder);
  return folder;
}

// TRL's heads for values, heads for classes, scales of caches, rotary tables and biases that the
// configuration denies are no reason to refuse a model; transformers names them in a warning.
TEST(LoadModel, NamesAndLeavesOutWhatIsBesideTheModel) {
  const fs::path folder = copy_of_llama("beside");
  const std::vector<float> numbers(4);
  edit_weights(folder, [&](auto& views) {
    for (const char* name :
         {"v_head.summary.weight", "score.weight", "model.layers.0.x.k_scale",
          "model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.rotary_emb.inv_freq"}) {
      views.push_back({.name = name, .shape = {4}, .bytes = std::as_bytes(std::span(numbers))});
    }
  });
  testing::internal::CaptureStderr();
  EXPECT_LT(distance_from_golden(folder, "llama"), 1e-4);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("4 of its tensors are no part of the model and not used"), std::string::npos)
      << said;
  EXPECT_NE(said.find("q_proj.bias"), std::string::npos) << said;
}

// Bug: sequences beyond longrope's short factors were turned by them all the same, but for Phi-3
// (3.6 standard deviations of the logits).
TEST(LoadModel, EndsTheContextWhereTheShortFactorsOfLongropeEnd) {
  const fs::path folder = copy_of_llama("longrope");
  edit_config(folder, [](Json& config) {
    config.erase("rope_parameters");
    config["original_max_position_embeddings"] = 8;
    config["rope_scaling"] = {{"rope_type", "longrope"},
                              {"short_factor", {1.0, 1.125, 1.25, 1.375}},
                              {"long_factor", {2.0, 2.0, 2.0, 2.0}}};
  });
  testing::internal::CaptureStderr();
  EXPECT_EQ(load_model(folder, {})->shape().positions, 8);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("original_max_position_embeddings, 8 of"), said.npos) << said;
}

// Bug: a head of other numbers than the embedding was left out where config.json ties the two
// (4.8 to 5.8 standard deviations of the logits).
TEST(LoadModel, KeepsAHeadThatItsConfigurationTies) {
  const fs::path folder = copy_of_llama("tied");
  edit_config(folder, [](Json& config) { config["tie_word_embeddings"] = true; });
  testing::internal::CaptureStderr();
  EXPECT_LT(distance_from_golden(folder, "llama"), 1e-4);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("ties the head"), std::string::npos);
  const fs::path saved = fs::path(testing::TempDir()) / "alambic_load_tied_saved";
  save_model(*load_model(folder, {}), saved, nullptr);
  EXPECT_EQ(read_json_object(saved / "config.json")["tie_word_embeddings"], false);
}

TEST(LoadModel, ReadsATiedModelOfWhichOnlyTheHeadIsThere) {
  const fs::path folder = copy_of("llama_tied", "head");
  edit_weights(folder, [](auto& views) {
    for (TensorView& view : views) {
      if (view.name == "model.embed_tokens.weight") view.name = "lm_head.weight";
    }
  });
  EXPECT_LT(distance_from_golden(folder, "llama_tied"), 1e-4);
}

// Bug: what AutoModel saved has neither the prefix nor a known architecture.
TEST(LoadModel, ReadsWhatABaseClassSaved) {
  for (const auto& [name, prefix, architecture] :
       {std::tuple{"llama_tied", "model.", "LlamaModel"},
        {"gpt2", "transformer.", "GPT2Model"},
        {"gemma3", "model.", "Gemma3TextModel"},
        {"qwen3_moe", "model.", "Qwen3MoeForSequenceClassification"}}) {
    const fs::path folder = copy_of(name, "base_class");
    edit_weights(folder, [&, prefix = std::string(prefix)](auto& views) {
      for (TensorView& view : views) {
        if (view.name.starts_with(prefix)) view.name.erase(0, prefix.size());
      }
    });
    edit_config(folder, [&, to = architecture](Json& config) { config["architectures"] = {to}; });
    EXPECT_LT(distance_from_golden(folder, name), 2e-4) << name;
  }
}

TEST(LoadModel, NamesATensorOfTheWrongShapeWithBothShapes) {
  const fs::path folder = copy_of_llama("shape");
  edit_config(folder, [](Json& config) { config["intermediate_size"] = 40; });
  const std::string error = error_of(folder);
  EXPECT_NE(error.find("mlp.gate_proj.weight"), std::string::npos) << error;
  EXPECT_NE(error.find("[48, 32]"), std::string::npos) << error;
  EXPECT_NE(error.find("[40, 32]"), std::string::npos) << error;
}

TEST(LoadModel, ListsTheKnownArchitecturesForAnUnknownOne) {
  const fs::path folder = copy_of_llama("unknown");
  edit_config(folder, [](Json& config) {
    config["architectures"] = {"MambaForCausalLM"};
    config["model_type"] = "mamba";
  });
  const std::string error = error_of(folder);
  EXPECT_NE(error.find("MambaForCausalLM"), std::string::npos) << error;
  EXPECT_NE(error.find("LlamaForCausalLM"), std::string::npos) << error;
}

// Bug: a type that nobody knows was read as whatever "architectures" said, by Llama's code; for
// transformers the type counts alone, also where both are known.
TEST(LoadModel, GoesByModelTypeAsTransformers) {
  const fs::path folder = copy_of_llama("type");
  edit_config(folder, [](Json& config) { config["model_type"] = "llama_with_changes"; });
  const std::string error = error_of(folder);
  EXPECT_NE(error.find("llama_with_changes"), std::string::npos) << error;
  edit_config(folder, [](Json& config) {
    config["model_type"] = "llama";
    config["architectures"] = {"Qwen2ForCausalLM"};
  });
  EXPECT_LT(distance_from_golden(folder, "llama"), 1e-4);
  edit_config(folder, [](Json& config) {
    config.erase("model_type");
    config["architectures"] = {"LlamaForCausalLM"};
  });
  EXPECT_LT(distance_from_golden(folder, "llama"), 1e-4);
}

TEST(LoadModel, RefusesASettingThatIsNotBuiltInsteadOfIgnoringIt) {
  const fs::path folder = copy_of_llama("rope");
  edit_config(folder, [](Json& config) {
    config["rope_parameters"] = {{"rope_type", "spiral"}, {"factor", 8.0}};
  });
  EXPECT_NE(error_of(folder).find("rope_type"), std::string::npos);
}

// 2.5 sigma from transformers, which takes a Mistral with such a list as Ministral.
TEST(LoadModel, RefusesAMistralOfWhichSomeLayersHaveAWindow) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_load_ministral";
  fs::remove_all(folder);
  fs::copy(golden_folder("mistral"), folder);
  const int64_t layers = read_json_object(folder / "config.json")["num_hidden_layers"];
  std::vector<std::string> types(static_cast<size_t>(layers), "sliding_attention");
  edit_config(folder, [&](Json& config) { config["layer_types"] = types; });
  EXPECT_EQ(error_of(folder), "no error");
  types.back() = "full_attention";
  edit_config(folder, [&](Json& config) { config["layer_types"] = types; });
  EXPECT_NE(error_of(folder).find("layer_types"), std::string::npos);
}

TEST(LoadModel, ReadsConfigValuesOfTheWrongTypeAsInputErrors) {
  for (const char* key : {"hidden_size", "num_attention_heads", "vocab_size"}) {
    for (const Json& value : {Json("x"), Json(-1), Json(0), Json(1e30), Json::array()}) {
      const fs::path folder = copy_of_llama("type");
      edit_config(folder, [&](Json& config) { config[key] = value; });
      EXPECT_NE(error_of(folder), "no error") << key << " " << value;
    }
  }
}

// Tiles turned around or their edges left out would show.
TEST(LoadModel, MultipliesFp8WeightsByTheirScales) {
  const fs::path folder = golden_folder("fp8"), expected = folder / "expected.safetensors";
  const std::unique_ptr<Model> model = load_model(folder, {});
  const std::string matrix = "model.layers.0.self_attn.kv_b_proj.weight";
  model->visit([&](const std::string& name, Tensor& tensor) {
    if (name != matrix) return;
    EXPECT_TRUE(at::equal(tensor, golden(expected, matrix)));
  });
  const at::NoGradGuard no_grad;
  const Tensor tokens_ST = golden(golden_folder("deepseek_v3") / "golden.safetensors", "tokens");
  const Packed input = {.tokens_N = tokens_ST.flatten(), .offsets = {0, 16, 32}};
  const Tensor logits_NV = at::mm(model->hidden(Pass(input)), model->head().weight_VD.dense().t());
  EXPECT_LT(distance(logits_NV, golden(expected, "logits").flatten(0, 1)), 1e-4);

  const fs::path saved = fs::path(testing::TempDir()) / "alambic_load_fp8";
  fs::remove_all(saved);
  save_model(*load_model(folder, {.dtype = at::kBFloat16}), saved, nullptr);
  EXPECT_FALSE(read_json_object(saved / "config.json").contains("quantization_config"));
  EXPECT_EQ(golden(saved / "model.safetensors", matrix).scalar_type(), at::kBFloat16);
}

// Its scales would be unexpected tensors, or, where the file hides them, the numbers wrong.
TEST(LoadModel, NamesAQuantizationThatItDoesNotRead) {
  for (const Json& setting : {Json{{"quant_method", "gptq"}, {"bits", 4}}, Json("fp8")}) {
    const fs::path folder = copy_of_llama("gptq");
    edit_config(folder, [&](Json& config) { config["quantization_config"] = setting; });
    EXPECT_NE(error_of(folder).find("quant_method"), std::string::npos);
  }
}

TEST(SaveModel, WritesWhatItRead) {
  for (const std::string& name : golden_models()) {
    const std::unique_ptr<Model> model = load_model(golden_folder(name), {});
    const fs::path folder = fs::path(testing::TempDir()) / "alambic_save";
    fs::remove_all(folder);
    save_model(*model, folder, nullptr);
    EXPECT_EQ(read_file(folder / "model.safetensors"),
              read_file(golden_folder(name) / "model.safetensors"))
        << name;
  }
}

TEST(InitWeights, IsAFunctionOfTheSeedAndOfTheTensorAlone) {
  const auto first = make_model(small_llama_config(), "test");
  const auto second = make_model(small_llama_config(), "test");
  const auto other = make_model(small_llama_config(), "test");
  init_weights(*first, 1, {});
  init_weights(*second, 1, {});
  init_weights(*other, 2, {});
  EXPECT_TRUE(at::equal(first->head().weight_VD.dense(), second->head().weight_VD.dense()));
  EXPECT_FALSE(at::equal(first->head().weight_VD.dense(), other->head().weight_VD.dense()));
  EXPECT_NEAR(first->head().weight_VD.dense().std().item<double>(), 0.02, 0.002);
}

}  // namespace
}  // namespace alambic::load_test
