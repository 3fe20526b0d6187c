// What desktops and servers bring: HTTP of the JDK.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    jvmToolchain(17)
}

dependencies {
    api(project(":outrider"))
    runtimeOnly(libs.jna)
    testImplementation(libs.junit)
    testImplementation(kotlin("test-junit"))
}
