// What the commands on saved models share: MODEL ... and --set.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <vector>

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

}  // namespace fleet
