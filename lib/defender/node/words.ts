/** The words of a text, for tables that read better without quotes and commas. */
export function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
