// `fleet keys [PREFIX]`: what can be set, from the code that reads it.
#include <algorithm>
#include <iostream>
#include <map>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "sweep/key_survey.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

std::string quoted(const std::string& text) {
  return Value(text).to_string();
}

/// "a, b or c".
std::string one_of(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " or " : ", ";
    text += items[i];
  }
  return text;
}

/// What may be written: "integer from 1 to 10", "\"adam\" or \"sgd\"".
std::string kind_of(const KeyNote& note) {
  std::vector<std::string> choices;
  for (const std::string& choice : note.choices) choices.push_back(quoted(choice));
  if (note.type == "list of names") return cat("list of ", one_of(choices));
  if (!choices.empty()) return one_of(choices);
  const bool bounded = note.range != Range{};
  return cat(note.type, bounded ? cat(' ', note.range.to_string()) : "");
}

/// The default; of a long list, how it begins.
std::string default_of(const KeyNote& note) {
  constexpr std::size_t kLongest = 40;
  const std::string text = note.standard.to_string();
  return text.size() <= kLongest ? text : text.substr(0, text.rfind(',', kLongest)) + ", ...";
}

/// Which values a key goes with, as a configuration writes it: `model.kind = "lstm" or "gru"`.
std::string condition_of(const KeyCondition& condition) {
  std::vector<std::string> values;
  for (const std::string& value : condition.second) {
    values.push_back(value == "true" || value == "false" ? value : quoted(value));
  }
  return cat(condition.first, " = ", one_of(values));
}

std::string joined(const std::vector<std::string>& items, const char* separator = ", ") {
  std::string text;
  for (const std::string& item : items) text += cat(text.empty() ? "" : separator, item);
  return text;
}

/// Under which settings, if not always.
std::vector<std::string> conditions_of(const KeyUse& use) {
  std::vector<std::string> texts;
  for (const KeyCondition& condition : use.conditions) texts.push_back(condition_of(condition));
  return texts;
}

void print(const SurveyedKey& key) {
  std::cout << key.key << '\n';
  std::string_view about;
  for (const KeyUse& use : key.uses) {
    if (use.note.about != about) std::cout << "    " << use.note.about << '\n';
    about = use.note.about;
    std::cout << "      " << kind_of(use.note) << "; default " << default_of(use.note);
    if (!use.worlds.empty()) std::cout << "; " << joined(use.worlds);
    if (!use.conditions.empty()) std::cout << "; where " << joined(conditions_of(use), " and ");
    std::cout << '\n';
  }
}

/// What a table's cell may hold.
std::string in_cell(std::string text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string section_of(const std::string& key) {
  const std::size_t dot = key.find('.');
  const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
  const std::size_t second = dot == std::string::npos ? dot : key.find('.', dot + 1);
  return section == "merge" && second != std::string::npos ? key.substr(0, second) : section;
}

/// A row for each use of a key.
void print_rows(const SurveyedKey& key) {
  std::string_view about;
  for (const KeyUse& use : key.uses) {
    std::string where = joined(use.worlds);
    for (const std::string& condition : conditions_of(use))
      where += cat(where.empty() ? "" : "; ", '`', condition, '`');
    std::cout << "| " << (&use == &key.uses.front() ? cat('`', key.key, '`') : "") << " | "
              << in_cell(use.note.about == about ? "" : std::string(use.note.about)) << " | "
              << in_cell(kind_of(use.note)) << " | `" << in_cell(default_of(use.note)) << "` | " << in_cell(where)
              << " |\n";
    about = use.note.about;
  }
}

/// A table for each section.
void print_tables(std::span<const SurveyedKey> keys) {
  std::map<std::string, std::vector<const SurveyedKey*>> sections;
  for (const SurveyedKey& key : keys) sections[section_of(key.key)].push_back(&key);
  for (const auto& [section, members] : sections) {
    std::cout << "\n## " << (section.empty() ? "The sweep" : section) << '\n'
              << "\n| Key | Meaning | Value | Default | Where |\n|---|---|---|---|---|\n";
    for (const SurveyedKey* key : members) print_rows(*key);
  }
}

}  // namespace

int command::keys(const Arguments& arguments, std::span<const WorldEntry> worlds) {
  po::options_description options("Options");
  options.add_options()("markdown", "as tables of a page of the documentation");
  const auto values = parse(arguments, options, "[PREFIX]", "fleet keys [PREFIX] [--markdown]");
  if (!values) return 0;
  const std::string prefix = values->contains("PREFIX") ? (*values)["PREFIX"].as<std::string>() : "";
  std::vector<SurveyedKey> keys = survey_keys(worlds);
  std::vector<std::string> names;
  for (const SurveyedKey& key : keys) names.push_back(key.key);
  std::erase_if(keys, [&](const SurveyedKey& key) { return !key.key.starts_with(prefix); });
  if (keys.empty()) {
    const std::optional<std::string> meant = nearest(prefix, names);
    throw ConfigError(cat("no setting begins with ", prefix, meant ? cat("; did you mean ", *meant, '?') : ""));
  }
  if (values->contains("markdown")) {
    print_tables(keys);
  } else {
    for (const SurveyedKey& key : keys) print(key);
  }
  return 0;
}

}  // namespace fleet
