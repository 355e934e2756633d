// What the commands on saved models share: MODEL ... and --set.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/settings.hpp"
#include "command/command.hpp"

namespace fleet {

/// Of this program or, for some commands, safetensors files.
inline constexpr Operand kModels = {.name = "MODEL", .is = Operand::Is::kFile, .many = true};

/// "set".
[[nodiscard]] boost::program_options::options_description model_options();

/// The positional arguments; ConfigError for fewer than two.
[[nodiscard]] std::vector<std::filesystem::path> models_of(const boost::program_options::variables_map& values);

/// What is put over the models' settings.
[[nodiscard]] Settings overrides_of(const boost::program_options::variables_map& values);

/// ConfigError for a key that is neither among the settings of the first model nor `others`.
void check_keys(const Settings& overrides, const std::filesystem::path& first, const Settings& others);

/// ConfigError if what is to be written at `output` is one of what is merged.
void require_none_of(const std::filesystem::path& output, const std::vector<std::filesystem::path>& models);

/// What a command on models writes.
enum class ModelKind { kHdf5, kSafetensors };
/// ConfigError if `output` is named as files of another kind are.
void require_named_as(ModelKind kind, const std::filesystem::path& output);

/// Runs what only looks at options and files, so that whatever it complains of is for the user to put right before
/// anything was done: a ConfigError.
template <class Look>
auto before_anything(const Look& look) {
  try {
    return look();
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw ConfigError(error.what());
  }
}

}  // namespace fleet
