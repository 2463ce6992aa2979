/** This plugin has no commands of its own. */
export default {}
